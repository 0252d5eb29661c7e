import {
  answered,
  classesOf,
  directionOf,
  keptReads,
  needleAgainstContext,
  summariseAllocation,
  type TokenSpans,
  type UnreadLayer,
  upTo,
} from '@/lib/analysis';
import type { Allocation, ReadingQuery } from '@/lib/api/readings';
import { TOKEN_CLASSES } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import { pause, type Withdrawn } from '../cancelling';
import type { LoadedModels } from '../models/loaded-models';
import { answerOf, ownAnswer } from './answers';
import { directionElsewhere, readsElsewhere } from './elsewhere';
import { checkTarget, positionOf } from './questions';
import { isComplete, type ModelRecord } from './record';
import { withModelOf } from './with-model';

/** Reads by other classes of tokens that a run keeps. */
const KEPT = 2;

/**
 * What every layer of a run reads at one token, by class of token, from what the run has kept: no block is run again. Whatever
 * asks for the same classes of the same tokens shares one computation, also while it is under way.
 */
export class Allocations {
  #kept = new WeakMap<ModelRecord, Map<string, UnreadLayer[]>>();

  constructor(private readonly models: LoadedModels) {}

  /**
   * Cost: one row of each block's operator, the first time; and a forward pass where the answer has several tokens.
   * @throws ServiceError 409 before all layers are there, 422 for a question without a needle or outside the run.
   */
  async allocation(record: ModelRecord, query: ReadingQuery<'allocation'>, withdrawn: Withdrawn): Promise<Allocation> {
    const { request, config, residuals } = record;
    const { target = request.target.id, needle = request.needle, foil, competing, question } = query;
    const { answer = target === request.target.id ? ownAnswer(record) : [target] } = query;
    checkTarget(record, target);
    if (foil !== undefined) checkTarget(record, foil);
    if (!needle)
      throw new ServiceError(
        422,
        'The run has no needle: say which tokens decide the answer.',
        'Give needle=start,end.',
      );
    if (!isComplete(record))
      throw new ServiceError(409, `Allocation needs all layers of ${request.name}; wait for them.`);
    const position = positionOf(record, query.position ?? request.position);
    const classes = classesOf(position + 1, { needle, competing, question });
    const found = await this.#reads(record, classes, config.blocks.length, withdrawn);
    const final = residuals[config.blocks.length].subarray(position * config.d, (position + 1) * config.d);
    const direction =
      directionElsewhere(record, position, { target, foil }) ??
      (await withModelOf(this.models, record, async (model) => directionOf(model, final, { target, foil })));
    const layers = found.map((each) => {
      const layer = summariseAllocation([[answered(each, direction)]], undefined);
      return { ...layer, chance: Number.isFinite(layer.chance) ? layer.chance : null };
    });
    const score = answer.length > 1 ? await answerOf(this.models, record, { answer, position }) : null;
    return { position, answer: score, classes: Array.from(classes, (place) => TOKEN_CLASSES[place]), layers };
  }

  /**
   * `needle_against_context` of the first `layers` blocks; NaN where no context is read, or the needle begins behind the token
   * that is read. Cost: as {@link allocation}, and nothing where that was asked for.
   */
  async headline(
    record: ModelRecord,
    position: number,
    spans: TokenSpans,
    layers: number,
    withdrawn: Withdrawn,
  ): Promise<number[]> {
    const L = position + 1;
    if (spans.needle[0] >= L) return new Array(layers).fill(Number.NaN);
    const found = await this.#reads(record, classesOf(L, upTo(L, spans)), layers, withdrawn);
    return found.map(needleAgainstContext);
  }

  async #reads(
    record: ModelRecord,
    classes: Uint8Array,
    layers: number,
    withdrawn: Withdrawn,
  ): Promise<readonly UnreadLayer[]> {
    const reads = this.#keptOf(record, classes);
    if (record.elsewhere?.reads.position === classes.length - 1) {
      while (reads.length < layers) reads.push(readsElsewhere(record, record.elsewhere, reads.length, classes));
      return reads.slice(0, layers);
    }
    await withModelOf(this.models, record, async (model) => {
      // Whoever waits here with another request goes on from where that one has come to.
      while (reads.length < layers) {
        reads.push(keptReads(model, record.blocks[reads.length], classes));
        await pause(withdrawn);
      }
    });
    return reads.slice(0, layers);
  }

  #keptOf(record: ModelRecord, classes: Uint8Array): UnreadLayer[] {
    const kept = this.#kept.get(record) ?? new Map<string, UnreadLayer[]>();
    this.#kept.set(record, kept);
    const key = classes.join('');
    const reads = kept.get(key) ?? [];
    kept.delete(key);
    kept.set(key, reads);
    const [oldest] = kept.keys();
    if (kept.size > KEPT) kept.delete(oldest);
    return reads;
  }
}
