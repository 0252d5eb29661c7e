import { group } from 'd3';
import { z } from 'zod';
import type { Resampling } from '@/lib/analysis';
import { InputError } from '@/lib/input-error';
import { type Estimated, estimated } from './intervals';
import { type Score, score } from './score';

/** A line of predictions.jsonl: what is needed to score it, what it is told by, and whatever else its writer knew. */
const predictionSchema = z.looseObject({
  model: z.string().optional(),
  /** One of several trainings of the model. */
  seed: z.union([z.string(), z.number()]).optional(),
  task: z.string(),
  length: z.union([z.string(), z.number()]).optional(),
  target: z.string().min(1),
  output: z.string(),
  question: z.string(),
});

export type Prediction = z.infer<typeof predictionSchema>;

/** @throws InputError naming the line */
export function parsePredictions(text: string, source: string): Prediction[] {
  const lines = text.split('\n').flatMap((line, k) => (line.trim() === '' ? [] : [{ line, number: k + 1 }]));
  if (lines.length === 0) throw new InputError(`${source} holds no predictions: give one JSON object a line.`);
  return lines.map(({ line, number }) => {
    const parsed = predictionSchema.safeParse(jsonOf(line, source, number));
    if (parsed.success) return parsed.data;
    const [{ path, message }] = parsed.error.issues;
    throw new InputError(`Line ${number} of ${source}: ${path.join('.') || 'the line'}: ${message}.`);
  });
}

function jsonOf(line: string, source: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new InputError(`Line ${number} of ${source} is not JSON.`);
  }
}

/** Both scores of one model, task and length; shares of right answers. */
export interface ScoreCell {
  readonly model: string | null;
  readonly task: string;
  readonly length: string | number | null;
  readonly n: number;
  readonly strict: Estimated | null;
  readonly first: Estimated | null;
}

export interface Scored {
  readonly n: number;
  readonly strict_correct: number;
  readonly first_correct: number;
  /** Per cent, not rounded. */
  readonly strict: number;
  readonly first: number;
  readonly cells: readonly ScoreCell[];
  /** In the order of the predictions. */
  readonly rows: readonly Score[];
}

/** Both scores of stored predictions, row by row and by model, task and length. @throws InputError naming an unknown task */
export function scorePredictions(predictions: readonly Prediction[], resampling: () => Resampling): Scored {
  const rows = predictions.map(score);
  const n = rows.length;
  const right = (rule: keyof Score) => rows.filter((row) => row[rule]).length;
  const cells = group(predictions.keys(), (index) => {
    const { model, task, length } = predictions[index];
    return JSON.stringify([model, task, length]);
  });
  return {
    n,
    strict_correct: right('strict'),
    first_correct: right('first'),
    strict: (100 * right('strict')) / n,
    first: (100 * right('first')) / n,
    cells: [...cells.values()].map((indices) => {
      const { model = null, task, length = null } = predictions[indices[0]];
      const seeds = group(indices, (index) => predictions[index].seed);
      const of = (rule: keyof Score) =>
        estimated(
          [...seeds.values()].map((own) => own.map((index) => Number(rows[index][rule]))),
          resampling(),
        );
      return { model, task, length, n: indices.length, strict: of('strict'), first: of('first') };
    }),
    rows,
  };
}
