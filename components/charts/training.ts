import type { TrainingRun } from '@/lib/api/training';

/** One line of a plot: a run, and what is measured of it by step. */
export interface TrainingLine {
  readonly run: TrainingRun;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

export interface TrainingPlot {
  readonly title: string;
  readonly unit?: string;
  readonly lines: readonly TrainingLine[];
}

type Measured = { readonly step: number; readonly value: number | null | undefined };

function plot(
  title: string,
  unit: string | undefined,
  runs: readonly TrainingRun[],
  of: (run: TrainingRun) => readonly Measured[],
): TrainingPlot {
  const lines = runs.map((run) => ({
    run,
    points: of(run).filter((point): point is { step: number; value: number } => typeof point.value === 'number'),
  }));
  return { title, unit, lines: lines.filter(({ points }) => points.length > 0) };
}

/** The curves of runs: losses of training, accuracy on held-out rows, whole and by label; those that nothing is measured for are left out. */
export function trainingPlots(runs: readonly TrainingRun[]): TrainingPlot[] {
  const labels = [
    ...new Set(runs.flatMap(({ evaluations }) => evaluations.flatMap((each) => Object.keys(each.labels)))),
  ];
  const accuracies = labels.length > 1 ? labels.sort() : [];
  return [
    plot('Loss of text', 'nats', runs, ({ points }) => points.map(({ step, text }) => ({ step, value: text }))),
    plot('Loss of answers', 'nats', runs, ({ points }) =>
      points.map(({ step, answers }) => ({ step, value: answers })),
    ),
    plot('Held-out accuracy', undefined, runs, ({ evaluations }) =>
      evaluations.map(({ step, accuracy }) => ({ step, value: accuracy })),
    ),
    ...accuracies.map((label) =>
      plot(`Held-out accuracy, ${label}`, undefined, runs, ({ evaluations }) =>
        evaluations.map((each) => ({ step: each.step, value: each.labels[label]?.accuracy })),
      ),
    ),
    plot('Held-out loss of text', 'nats', runs, ({ evaluations }) =>
      evaluations.map(({ step, text }) => ({ step, value: text })),
    ),
  ].filter(({ lines }) => lines.length > 0);
}

/** λ by step, a plot for each differential block of any of the runs. */
export function lambdaPlots(runs: readonly TrainingRun[]): TrainingPlot[] {
  const blocks = new Set(
    runs.flatMap(({ points }) => points.flatMap(({ lambda }) => lambda.map(({ block }) => block))),
  );
  return [...blocks]
    .sort((a, b) => a - b)
    .map((block) =>
      plot(`λ of layer ${block}`, undefined, runs, ({ points }) =>
        points.map(({ step, lambda }) => ({ step, value: lambda.find((each) => each.block === block)?.lambda })),
      ),
    );
}

/** `40 s`, `3 min`, `2 h 10 min`. */
export function durationText(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
