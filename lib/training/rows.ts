import { type Batch, batchOf } from '@/lib/data/batches';
import { type MixedPart, mixedRows, type Place } from '@/lib/data/mixture';
import type { DataCard, DataSource, Row } from '@/lib/data/source';
import { openSource, type SourceConfig } from '@/lib/data/sources';
import { Random } from '@/lib/random';

/** What rows are read, in a form that goes to another thread. */
export interface Recipe {
  readonly seed: number;
  /** Each once, however many stages read it. */
  readonly sources: readonly SourceConfig[];
  readonly stages: readonly { readonly parts: readonly MixedPart[]; readonly batchSize: number }[];
  /** Into how many batches the rows of a step are divided. */
  readonly accumulate: number;
}

/** A batch with the part of the mixture that each of its rows is of. */
export interface PartedBatch extends Batch {
  readonly parts: Int32Array;
}

/** The rows of one step. */
export interface StepRows {
  readonly batches: readonly PartedBatch[];
  /** Where the next step begins. */
  readonly place: Place;
}

/** What a model must know of its data before it is made. */
export interface DataDescription {
  readonly cards: readonly DataCard[];
  readonly vocabularySize: number;
  readonly tokenizers: readonly (object | null)[];
  /** Where the first step begins. */
  readonly start: Place;
}

/** Parts the place where a run begins to read from everything else that its seed decides. */
const STARTS = 0x57a7;

/** Reads rows where it is told to; keeps nothing between two calls but the open sources. */
export class RowReader {
  private constructor(
    private readonly recipe: Recipe,
    private readonly sources: readonly DataSource[],
  ) {}

  /** @throws InputError where a source cannot be opened */
  static async open(recipe: Recipe): Promise<RowReader> {
    const sources: DataSource[] = [];
    for (const source of recipe.sources) sources.push(await openSource(source));
    return new RowReader(recipe, sources);
  }

  describe(): DataDescription {
    const { seed } = this.recipe;
    // Runs of different seeds begin at different rows: rows that are generated have no end, others begin again.
    const startOf = ({ card: { sizes } }: DataSource, k: number) =>
      Random.at(seed, STARTS, k).integer(0, (sizes.train?.rows ?? 2 ** 30) - 1);
    return {
      cards: this.sources.map(({ card }) => card),
      vocabularySize: Math.max(...this.sources.map(({ vocabularySize }) => vocabularySize)),
      tokenizers: this.sources.map(({ tokenizer }) => tokenizer ?? null),
      start: { row: 0, read: this.sources.map(startOf) },
    };
  }

  /** The rows of a step, divided into its batches. */
  step(stage: number, place: Place): StepRows {
    const { seed, stages, accumulate } = this.recipe;
    const { parts, batchSize } = stages[stage];
    const read = mixedRows(this.sources, parts, { seed, split: 'train', place, count: batchSize });
    const size = Math.ceil(batchSize / accumulate);
    const batches: PartedBatch[] = [];
    for (let from = 0; from < batchSize; from += size) {
      const rows = read.rows.slice(from, from + size);
      batches.push({ ...batchOf(rows), parts: Int32Array.from(rows, ({ part }) => part) });
    }
    return { batches, place: read.place };
  }

  /** The first validation rows of a stage's mixture: the same for every seed. */
  validation(stage: number, count: number): Row[] {
    const place = { row: 0, read: this.sources.map(() => 0) };
    return mixedRows(this.sources, this.recipe.stages[stage].parts, { seed: 0, split: 'validation', place, count })
      .rows;
  }
}
