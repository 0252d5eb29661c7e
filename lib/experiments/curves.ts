import { readMetrics, type TrainingMetrics } from '@/lib/training/metrics';
import type { Arm } from './plan';

/** A number over the seeds of an arm: their mean, and the least and the largest. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export interface CurveAt extends Spread {
  readonly step: number;
}

/** What the training of an arm looked like, from the metrics.jsonl of its runs. */
export interface ArmTraining {
  readonly arm: string;
  readonly label: string;
  readonly seeds: readonly number[];
  readonly parameters: number;
  /** Steps that the runs took. */
  readonly steps: Spread;
  readonly seconds: Spread;
  readonly tokens_per_second: Spread;
  /** Of the training rows: mean cross-entropy of all tokens, nats. */
  readonly loss: readonly CurveAt[];
  /** Of validation rows: share of answers that are right, by step and at the end. */
  readonly accuracy: readonly CurveAt[];
  /** Mean λ over differential blocks. */
  readonly lambda: readonly CurveAt[];
  /** λ of each differential block at the end. */
  readonly lambda_by_block: readonly (Spread & { readonly block: number })[];
}

export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: Math.min(...values), high: Math.max(...values), n: values.length };
}

/** Reads the metrics of all runs of an arm. */
export async function trainingOfArm({ name, label, runs }: Arm, parameters: number): Promise<ArmTraining> {
  const logs = await Promise.all(runs.map(({ folder }) => readMetrics(folder)));
  const last = logs.map((log) => log[log.length - 1]);
  const curve = (read: (metrics: TrainingMetrics) => number | null | undefined) => curveOf(logs, read);
  const blocks = last[0].lambda.map(({ block }) => block);
  return {
    arm: name,
    label,
    seeds: runs.map(({ seed }) => seed),
    parameters,
    steps: spreadOf(last.map(({ step }) => step)),
    seconds: spreadOf(last.map(({ time }) => time.seconds)),
    tokens_per_second: spreadOf(last.map(({ time }) => time.tokens_per_second)),
    loss: curve((metrics) => metrics.loss),
    accuracy: curve((metrics) => metrics.evaluation?.accuracy),
    lambda: curve(({ lambda }) =>
      lambda.length > 0 ? lambda.reduce((sum, one) => sum + one.lambda, 0) / lambda.length : undefined,
    ),
    lambda_by_block: blocks.map((block, k) => ({ block, ...spreadOf(last.map(({ lambda }) => lambda[k].lambda)) })),
  };
}

/** Steps that every seed has measured. */
function curveOf(
  logs: readonly (readonly TrainingMetrics[])[],
  read: (metrics: TrainingMetrics) => number | null | undefined,
): CurveAt[] {
  const bySeed = logs.map(
    (log) =>
      new Map(
        log
          .flatMap((metrics) => [[metrics.step, read(metrics)] as const])
          .filter(([, value]) => typeof value === 'number'),
      ),
  );
  const steps = [...bySeed[0].keys()].filter((step) => bySeed.every((own) => own.has(step)));
  return steps.map((step) => ({ step, ...spreadOf(bySeed.map((own) => own.get(step) as number)) }));
}
