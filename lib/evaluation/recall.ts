import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import type { Resampling } from '@/lib/analysis';
import { type DataCard, type DataSource, type Row, SPLITS } from '@/lib/data/source';
import { openSource, sourceSchema } from '@/lib/data/sources';
import { InputError } from '@/lib/input-error';
import { type Arm, type Asked, checked, type Evaluation, type Item, type Line, runsOf } from './evaluation';
import { recallFigure } from './figures';
import { type Estimated, estimatedRatio, resampledStatistic } from './intervals';

export const recallSchema = z
  .object({
    /** Sources whose rows have answers, each a condition of its own. */
    data: z.array(sourceSchema).min(1),
    split: z.enum(SPLITS).default('test'),
    /** Rows of each condition. */
    rows: z.number().int().positive().default(256),
    /** Rows that are read at once. */
    batch: z.number().int().positive().default(16),
  })
  .strict();

export type RecallSettings = z.input<typeof recallSchema>;

interface RecallItem extends Item {
  readonly condition: number;
  readonly from: number;
  readonly to: number;
}

/** One row of a condition; each list has an entry for every token that is asked for. */
export interface RecallLine extends Line {
  readonly condition: number;
  readonly row: number;
  /** Where the tokens stand in the row, and of which kind their question is. */
  readonly at: readonly number[];
  readonly labels: readonly (string | null)[];
  /** Which answer of the row a token is part of. */
  readonly answer: readonly number[];
  /** Ids, and their texts where the model has a tokenizer. */
  readonly targets: readonly number[];
  readonly target_texts: readonly string[] | null;
  readonly said: readonly number[];
  readonly said_texts: readonly string[] | null;
}

/** Answers of one kind that are right in all their tokens, each given the true ones before it. */
export interface LabelAccuracy {
  readonly label: string | null;
  readonly answers: number;
  readonly accuracy: Estimated | null;
}

export interface ConditionAccuracy {
  readonly card: DataCard;
  /** The fields of its source. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly answers: number;
  /** Over answers. */
  readonly accuracy: Estimated | null;
  /** Mean over kinds of tokens of the share of those that are said rightly: what MAD calls its score. */
  readonly macro_accuracy: Estimated | null;
  readonly by_label: readonly LabelAccuracy[];
}

export interface RecallResults {
  readonly models: readonly {
    readonly label: string;
    readonly conditions: readonly ConditionAccuracy[];
    /** Mean of the conditions' macro accuracies. */
    readonly mean_macro_accuracy: number | null;
  }[];
}

/**
 * Answers in rows of any source: whether what the model finds most likely is what is asked for.
 * @param name of the evaluation
 * @throws InputError where settings do not fit or a source cannot be opened
 */
export async function recallEvaluation(
  given: unknown,
  name = 'recall',
): Promise<Evaluation<RecallItem, RecallLine, RecallResults>> {
  const settings = checked(recallSchema, given, name);
  const sources = await Promise.all(settings.data.map(openSource));
  return {
    name,
    settings,
    items(reader) {
      for (const { vocabularySize, card } of sources)
        if (vocabularySize > reader.vocabulary)
          throw new InputError(
            `${card.name} has ${vocabularySize} kinds of tokens and ${reader.name} knows ${reader.vocabulary}: evaluate a model that was trained on such rows.`,
          );
      return sources.flatMap((_, condition) =>
        runsOf(settings.rows, settings.batch).map(({ from, to }) => ({ lines: to - from, condition, from, to })),
      );
    },
    evaluateItem: (asked, { condition, from, to }) =>
      linesOf(asked, sources[condition], settings.split, condition, from, to),
    summarise: (arms, resampling) => ({
      models: arms.map((arm) => {
        const conditions = sources.map((source, condition) =>
          summaryOf(arm, condition, source.card, settings.data[condition], resampling),
        );
        const macros = conditions.flatMap(({ macro_accuracy: macro }) => (macro ? [macro.mean] : []));
        return {
          label: arm.label,
          conditions,
          mean_macro_accuracy: macros.length > 0 ? macros.reduce((sum, macro) => sum + macro, 0) / macros.length : null,
        };
      }),
    }),
    figures: ({ models }) => [{ name: `${name}-accuracy`, svg: recallFigure(models) }],
  };
}

/** A token that is asked for: what is most likely after `after` should be `target`. */
interface Wanted {
  readonly after: number;
  readonly at: number;
  readonly target: number;
  readonly label: string | null;
  readonly answer: number;
}

/** The first token of a row cannot be asked for, because nothing is read before it. */
const wantedOf = ({ tokens, targets, answers }: Row): Wanted[] =>
  answers.flatMap(({ start, end, label = null }, answer) =>
    Array.from({ length: end - start }, (_, k) => start + k).flatMap((at) => {
      if (targets) return [{ after: at, at, target: targets[at], label, answer }];
      return at === 0 ? [] : [{ after: at - 1, at, target: tokens[at], label, answer }];
    }),
  );

function linesOf(
  { model, tokenizer }: Asked,
  source: DataSource,
  split: (typeof SPLITS)[number],
  condition: number,
  from: number,
  to: number,
): RecallLine[] {
  const rows = Array.from({ length: to - from }, (_, k) => source.row(split, from + k));
  const wanted = rows.map(wantedOf);
  const said: number[][] = [];
  for (const length of new Set(rows.map(({ tokens }) => tokens.length))) {
    const places = [...rows.keys()].filter((k) => rows[k].tokens.length === length);
    const positions = [...new Set(places.flatMap((k) => wanted[k].map(({ after }) => after)))].sort((a, b) => a - b);
    if (positions.length === 0) continue;
    const best = tf.tidy(() => {
      const logits = model.forward(
        places.map((k) => [...rows[k].tokens]),
        { logits: positions },
      );
      return logits.slice([0, 0, 0], [-1, -1, model.config.vocabulary]).argMax(-1).dataSync<'int32'>();
    });
    const column = new Map(positions.map((position, c) => [position, c]));
    places.forEach((k, b) => {
      said[k] = wanted[k].map(({ after }) => best[b * positions.length + Number(column.get(after))]);
    });
  }
  return rows.map((_, k) => {
    const own = wanted[k];
    const words = (ids: readonly number[]) => (tokenizer ? ids.map((id) => tokenizer.tokenText(id)) : null);
    const targets = own.map(({ target }) => target);
    return {
      ...{ condition, row: from + k },
      at: own.map(({ at }) => at),
      labels: own.map(({ label }) => label),
      answer: own.map(({ answer }) => answer),
      ...{ targets, target_texts: words(targets), said: said[k] ?? [], said_texts: words(said[k] ?? []) },
    };
  });
}

/** Answers of a line that are right in all their tokens, and how many there are; of one label, or of all. */
function answersOf(line: RecallLine, label?: string | null): { sum: number; count: number } {
  const right = new Map<number, boolean>();
  line.answer.forEach((answer, k) => {
    if (label !== undefined && line.labels[k] !== label) return;
    right.set(answer, (right.get(answer) ?? true) && line.said[k] === line.targets[k]);
  });
  return { sum: [...right.values()].filter(Boolean).length, count: right.size };
}

function summaryOf(
  arm: Arm<RecallLine>,
  condition: number,
  card: DataCard,
  data: Readonly<Record<string, unknown>>,
  resampling: () => Resampling,
): ConditionAccuracy {
  const seeds = arm.seeds.map(({ lines }) => lines.filter((line) => line.condition === condition));
  const accuracy = (label?: string | null) => {
    const parts = seeds.map((lines) => lines.map((line) => answersOf(line, label)).filter(({ count }) => count > 0));
    return {
      answers: parts.flat().reduce((sum, { count }) => sum + count, 0),
      accuracy: estimatedRatio(parts, resampling()),
    };
  };
  const labels = [...new Set(seeds.flat().flatMap((line) => line.labels))].sort(byNumber);
  return {
    card,
    data,
    ...accuracy(),
    macro_accuracy: macroEstimate(seeds, resampling()),
    by_label: labels.map((label) => ({ label, ...accuracy(label) })),
  };
}

/** `gap 8` before `gap 16`. */
function byNumber(a: string | null, b: string | null): number {
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

/**
 * Macro accuracy: the mean, over tokens that are wanted or said, of the share of the wanted ones that are said; one that is only said
 * counts 0.
 */
export function macroAccuracy(lines: readonly Pick<RecallLine, 'targets' | 'said'>[]): number {
  const wanted = new Map<number, number>();
  const right = new Map<number, number>();
  const seen = new Set<number>();
  for (const { targets, said } of lines)
    targets.forEach((target, k) => {
      wanted.set(target, (wanted.get(target) ?? 0) + 1);
      if (said[k] === target) right.set(target, (right.get(target) ?? 0) + 1);
      seen.add(target).add(said[k]);
    });
  let sum = 0;
  for (const token of seen) sum += (right.get(token) ?? 0) / (wanted.get(token) ?? 1);
  return sum / seen.size;
}

/** With rows drawn anew; fewer resamples than of a mean, as each counts all tokens. */
function macroEstimate(seeds: readonly (readonly RecallLine[])[], resampling: Resampling): Estimated | null {
  const given = seeds
    .map((lines) => lines.filter(({ targets }) => targets.length > 0))
    .filter(({ length }) => length > 0);
  if (given.length === 0) return null;
  return resampledStatistic(given, macroAccuracy, resampling);
}
