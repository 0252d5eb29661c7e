import type { z } from 'zod';
import type { Resampling } from '@/lib/analysis';
import { InputError } from '@/lib/input-error';
import type { Model } from '@/lib/models';
import type { Tokenizer } from '@/lib/tokenizer';
import type { WeightFormat } from '@/lib/vocabulary';

/** What reads text and says of how many tokens a model knows: enough to divide the work. */
export interface Reader {
  readonly name: string;
  /** Token ids that mean something. */
  readonly vocabulary: number;
  readonly tokenizer?: Tokenizer;
  /** Where that lies. */
  readonly tokenizerPath?: string;
}

/** A model that is evaluated, on the current device. */
export interface Asked extends Reader {
  readonly model: Model;
}

/** What every JSON of results says of a model and how it was run. */
export interface ModelFacts {
  readonly name: string;
  readonly device: string;
  readonly weights: WeightFormat;
  readonly parameters: number;
  /** Of its weights and settings, so that results of another training under the same name are not taken for its own. */
  readonly sha256: string;
  /** What reads its text: how it is called, whether it is the model's own, and the SHA-256 of its file; null where there is none. */
  readonly tokenizer: { readonly name: string; readonly source: string; readonly sha256: string } | null;
  readonly warnings?: readonly string[];
}

/** A part of the work that one worker does at a time; JSON. Its results depend on nothing but itself and the model. */
export interface Item {
  /** How many lines it gives. */
  readonly lines: number;
}

/** A line of predictions.jsonl, less the model that it is of. */
export type Line = Readonly<Record<string, unknown>>;

/** What all trainings of one model gave. */
export interface Arm<L extends Line = Line> {
  readonly label: string;
  readonly seeds: readonly { readonly facts: ModelFacts; readonly lines: readonly L[] }[];
}

export interface Figure {
  /** Of its file, without the ending. */
  readonly name: string;
  readonly svg: string;
}

/**
 * One evaluation of any models, in parts: the same settings and tokenizer give the same items in the same order, an item the same lines
 * wherever it is done, and the summary is made of the lines in the order of the items. So any number of workers may share the items.
 */
export interface Evaluation<I extends Item = Item, L extends Line = Line, S = unknown> {
  readonly name: string;
  /** Everything that decides the results beside the model; JSON that makes the same evaluation again. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** @throws InputError where the model cannot be asked this */
  items(reader: Reader): readonly I[];
  /** @throws InputError */
  evaluateItem(asked: Asked, item: I): L[] | Promise<L[]>;
  /** Means with intervals over examples and, where there are several, over seeds; JSON. */
  summarise(arms: readonly Arm<L>[], resampling: () => Resampling): S;
  /** Drawings of a summary. */
  figures(summary: S): Figure[];
}

/** @throws InputError where the model has no tokenizer */
export function tokenizerOf({ tokenizer, name }: Reader): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new InputError(
    `${name} has no tokenizer.json, which this evaluation needs to read text: put it into its folder.`,
  );
}

/** Whole numbers [0, count) in runs of at most `size`. */
export const runsOf = (count: number, size: number): { readonly from: number; readonly to: number }[] =>
  Array.from({ length: Math.ceil(count / size) }, (_, k) => ({ from: k * size, to: Math.min(count, (k + 1) * size) }));

/** Settings of an evaluation, complete. @throws InputError naming the field */
export function checked<S extends z.ZodType>(schema: S, given: unknown, name: string): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new InputError(
    `The evaluation ${name} cannot be run: ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}.`,
  );
}
