import type { Span } from '@/lib/analysis/span';
import type { TokenClass } from '@/lib/vocabulary';

/** What rows are for. Sources divide by content, once and for all: what is in one split is in no other. */
export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Tokens [start, end) of a row that answer a question. */
export interface AnswerSpan {
  readonly start: number;
  readonly end: number;
  /** What kind of question it is: `one-hop`, `mqar`, `qa1`, …; accuracy is told by it. */
  readonly label?: string;
}

/** One sequence to learn from or to be asked about. */
export interface Row {
  readonly tokens: Int32Array;
  /**
   * What is to be said after each token, −1 where nothing is, for tasks in which that is not the next token. The spans of
   * `answers` are then spans of these.
   */
  readonly targets?: Int32Array;
  readonly answers: readonly AnswerSpan[];
  /** Spans of tokens by class, where the source knows them; they are about the last answer. */
  readonly classes?: Readonly<Partial<Record<TokenClass, readonly Span[]>>>;
}

export interface SplitSize {
  readonly rows: number;
  readonly tokens: number;
}

/** What the data are, for whoever reads the results. */
export interface DataCard {
  readonly name: string;
  /** Where they come from: an address, the files, or how they are generated. */
  readonly source: string;
  readonly licence: string;
  /** Of each split; one that is left out has no end, because its rows are generated. */
  readonly sizes: Readonly<Partial<Record<Split, SplitSize>>>;
  /** Of the files that were read, in their order; null where rows are generated. */
  readonly sha256: string | null;
}

/**
 * Rows of tokens. A source is a pure function: the same configuration, split and index give the same row, so that resuming
 * needs no state of it, and any number of workers may read it at once.
 */
export interface DataSource {
  readonly card: DataCard;
  /** Every token is below. */
  readonly vocabularySize: number;
  /** The vocabulary as a `tokenizer.json`, where rows are text; it is stored beside the checkpoint. */
  readonly tokenizer?: object;
  /** @param index from 0 without end: a source whose rows end begins again (`card.sizes` says after how many) */
  row(split: Split, index: number): Row;
}
