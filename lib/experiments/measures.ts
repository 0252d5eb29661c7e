import type {
  BabilongResults,
  CostLine,
  CostResults,
  Estimated,
  EvaluationName,
  LmResults,
  RecallResults,
} from '@/lib/evaluation';
import { conditionNames, GAP, RULES, tokenCount } from '@/lib/evaluation/figures';

/** One number of every model of an evaluation, in their order. */
export interface Measure {
  readonly name: string;
  readonly digits: number;
  /** Part of another one, as of answers over one gap: it stands in the table, and nothing is said of it beside that one. */
  readonly part?: boolean;
  readonly values: readonly (Estimated | null)[];
}

/** What a report tells of an evaluation, beside its figures. */
export function measuresOf(evaluation: EvaluationName, results: unknown): Measure[] {
  switch (evaluation) {
    case 'lm':
      return ofText(results as LmResults);
    case 'babilong':
      return ofQuestions(results as BabilongResults);
    case 'cost':
      return ofCost(results as CostResults);
    default:
      return ofRecall(results as RecallResults);
  }
}

/** What else there is to know of the numbers, in Markdown. */
export function remarksOf(evaluation: EvaluationName, results: unknown): string[] {
  const { ngrams = [] } = evaluation === 'lm' ? (results as LmResults) : {};
  if (ngrams.length === 0) return [];
  const [{ rows, tokens }] = ngrams;
  return [
    `The same tokens foretold by counting alone (n-grams, interpolated Kneser–Ney, of ${rows} rows of the training text, ${tokens} tokens), bits a token:`,
    '',
    `| ${ngrams.map(({ order }) => `${order}-gram`).join(' | ')} |`,
    `|${ngrams.map(() => '---|').join('')}`,
    `| ${ngrams.map(({ bits_per_token: bits }) => bits.toFixed(3)).join(' | ')} |`,
  ];
}

function ofText({ models }: LmResults): Measure[] {
  const characters = models.every(({ bits_per_character }) => bits_per_character !== null);
  return [
    characters
      ? { name: 'bits a character', digits: 3, values: models.map((model) => model.bits_per_character) }
      : { name: 'bits a token', digits: 3, values: models.map((model) => model.bits_per_token) },
  ];
}

function ofRecall({ models }: RecallResults): Measure[] {
  const [{ conditions }] = models;
  const names = conditionNames(conditions.map(({ data }) => data));
  return conditions.flatMap(({ by_label: labels }, c) => {
    const of = (
      name: string,
      read: (own: (typeof conditions)[number]) => Estimated | null | undefined,
      part = false,
    ): Measure => ({
      name,
      digits: 3,
      part,
      values: models.map((model) => read(model.conditions[c]) ?? null),
    });
    const right = names.length > 1 ? `right, ${names[c]}` : 'right';
    if (labels.length < 2) return [of(right, ({ accuracy }) => accuracy)];
    return [
      of(right, ({ accuracy }) => accuracy),
      ...labels.map(({ label }) =>
        of(
          `${right}, ${label}`,
          (own) => own.by_label.find((one) => one.label === label)?.accuracy,
          GAP.test(label ?? ''),
        ),
      ),
    ];
  });
}

function ofQuestions({ models }: BabilongResults): Measure[] {
  const [{ cells }] = models;
  return cells.flatMap(({ task, length }, c) =>
    RULES.map(
      ({ rule, name }): Measure => ({
        name: `${task}, ${typeof length === 'number' ? tokenCount(length) : length}, ${name}`,
        digits: 3,
        values: models.map((model) => model.cells[c][rule]),
      }),
    ),
  );
}

/**
 * How many times the cost of the model that each is compared with it has, over all shapes. @param against its place, for each model
 */
export function costSentences({ models }: CostResults, against: readonly number[]): string[] {
  const quantities: readonly (readonly [string, (shape: CostLine) => number])[] = [
    ['the operations', ({ flops }) => flops],
    ['the most tensors at once', ({ peak_bytes: bytes }) => bytes],
    ['the state', ({ state_bytes: bytes }) => bytes],
    ['the processor time of a forward pass', ({ forward_cpu_seconds: seconds }) => seconds],
  ];
  return models.flatMap(({ label, shapes }, k) => {
    const reference = models[against[k]];
    if (reference.label === label) return [];
    const times = quantities.map(([name, read]) => {
      const ratios = shapes.map((shape, s) => read(shape) / read(reference.shapes[s]));
      const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
      return `${least === most ? least : `${least} to ${most}`} times ${name}`;
    });
    return [`${label} takes, of what ${reference.label} takes, ${times.join(', ')}.`];
  });
}

const MIB = 2 ** 20;

/** Counts and single measurements have no range, so that nothing is concluded of them. */
function ofCost({ models }: CostResults): Measure[] {
  const [{ shapes }] = models;
  const of = (name: string, digits: number, read: (shape: CostLine) => number, s: number): Measure => ({
    name,
    digits,
    values: models.map((model) => ({ mean: read(model.shapes[s]), low: null, high: null, n: 1, seeds: 1 })),
  });
  return shapes.flatMap(({ batch, length }, s) => {
    const at = `${batch} × ${tokenCount(length)} tokens`;
    return [
      ...(s === 0 ? [of('operations a token, thousands', 0, (shape) => shape.flops_per_token / 1000, s)] : []),
      of(`${at}: tensors at once, MiB`, 1, (shape) => shape.peak_bytes / MIB, s),
      of(`${at}: state, KiB`, 1, (shape) => shape.state_bytes / 1024, s),
      of(`${at}: forward, processor ms`, 1, (shape) => 1000 * shape.forward_cpu_seconds, s),
    ];
  });
}
