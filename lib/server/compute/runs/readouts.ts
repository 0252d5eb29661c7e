import { setImmediate as turn } from 'node:timers/promises';
import { drainAsync, entryLabels, type Lens, lensOf, lensSteps, type Residuals, signalAt } from '@/lib/analysis';
import type { ReadingQuery, Signal } from '@/lib/api/readings';
import type { LensKind, Readout } from '@/lib/api/schemas';
import type { Model } from '@/lib/models';
import { encodeSafetensors, type WireTensor } from '@/lib/safetensors';
import { LENS_STATISTICS } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import type { Withdrawn } from '../cancelling';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import { tunedLensOf } from '../models/tuned-lens';
import type { Allocations } from './allocations';
import { columnOf, lensElsewhere } from './elsewhere';
import { checkTarget, positionOf } from './questions';
import { isComplete, type ModelRecord } from './record';
import { withModelOf } from './with-model';

/** Tokens that a lens names at each place. */
export const TOP_TOKENS = 8;
/** Lenses of other targets that a run keeps. */
const KEPT_LENSES = 4;

/** What a lens is asked for, of one record. */
interface View {
  readonly target: number;
  readonly lens?: LensKind;
  readonly candidates?: readonly number[];
  /** Default all. */
  readonly positions?: readonly number[];
}

const keyOf = ({ target, lens = 'logit', candidates = [], positions = [] }: View) =>
  `${lens}/${target}/${candidates}/${positions}`;

type OnStep = (done: number, total: number) => Promise<void>;

const residualsOf = ({ L, residuals }: ModelRecord): Residuals => ({ B: 1, L, streams: residuals });

/** A spread needs two values: with fewer wrong candidates there is no `snr_candidates`. */
function candidatesOf(
  { request }: ModelRecord,
  target: number,
  ids: readonly number[] = request.candidates.map(({ id }) => id),
): readonly number[] | undefined {
  return new Set(ids.filter((id) => id !== target)).size < 2 ? undefined : ids;
}

const finite = (values: Float64Array) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));

/** Values by layer, at the entries of a lens; null for those of no layer. */
const onEntries = (values: readonly number[], entries: readonly string[]) =>
  entries.map((entry) => {
    const value = values[entryLabels(values.length).indexOf(entry) - 1];
    return Number.isFinite(value) ? value : null;
  });

/** What a layer says at the token that is read; with the first layer the embedding too, with the last the output. */
export function readoutOf(model: Model, record: ModelRecord, layer: number, residual: Float32Array): Readout[] {
  const { request, L, config, residuals } = record;
  const candidates = candidatesOf(record, request.target.id);
  const at = (stream: Float32Array, entry: string): Readout => {
    const { statistics, top } = lensOf(
      model,
      { B: 1, L, streams: [stream] },
      {
        targets: [request.target.id],
        candidates: candidates && [candidates],
        positions: [positionOf(record, request.position)],
        topK: Math.min(TOP_TOKENS, config.vocabulary),
      },
    );
    const values = READ_OUT.map((name) => [name, finite(statistics[name].subarray(0, 1))[0]] as const);
    const k = top?.k ?? 0;
    return {
      entry,
      ...(Object.fromEntries(values) as Record<(typeof READ_OUT)[number], number | null>),
      top_ids: [...(top?.ids.subarray(0, k) ?? [])],
      top_probs: [...(top?.probabilities.subarray(0, k) ?? [])],
    };
  };
  const labels = entryLabels(config.blocks.length);
  const own = at(residual, labels[layer + 1]);
  const first = layer === 0 ? [at(residuals[0], labels[0])] : [];
  const last = layer === config.blocks.length - 1 ? [{ ...own, entry: labels[layer + 2] }] : [];
  return [...first, own, ...last];
}

const READ_OUT = [
  'target_prob',
  'target_logprob',
  'target_log_odds',
  'target_rank',
  'margin',
  'margin_std',
  'entropy',
  'snr_vocab',
  'snr_candidates',
] as const;

/** Lens and signal of what runs left behind, for any target, position and needle, without a new forward pass. */
export class Readouts {
  #lenses = new WeakMap<ModelRecord, Map<string, Lens>>();

  constructor(
    private readonly models: LoadedModels,
    private readonly catalogue: Catalogue,
    private readonly allocations: Allocations,
  ) {}

  /** A lens at every entry and position. Remembered per view. @param onStep awaited between steps; a rejection stops. */
  async lens(record: ModelRecord, view: View, onStep: OnStep = async () => turn()): Promise<Lens> {
    const { target, lens: kind = 'logit' } = view;
    const known = this.#lenses.get(record)?.get(keyOf(view)) ?? this.#lensElsewhere(record, view);
    if (known) return known;
    const lens = await withModelOf(this.models, record, async (model) => {
      const candidates = candidatesOf(record, target, view.candidates);
      const translators = kind === 'tuned' ? await tunedLensOf(this.catalogue, model) : undefined;
      const steps = lensSteps(model, residualsOf(record), {
        targets: [target],
        candidates: candidates && [candidates],
        positions: view.positions,
        translators,
        topK: Math.min(TOP_TOKENS, model.config.vocabulary),
      });
      return drainAsync(steps, ({ done, total }) => onStep(done, total));
    });
    this.#remember(record, view, lens);
    return lens;
  }

  /** @throws ServiceError 409 before every block is computed, 422 for a target outside the vocabulary. */
  async lensBody(record: ModelRecord, query: ReadingQuery<'lens'>): Promise<Body> {
    const { lens: kind, target = record.request.target.id, candidates, positions } = query;
    for (const id of [target, ...(candidates ?? [])]) checkTarget(record, id);
    if (!isComplete(record))
      throw new ServiceError(
        409,
        `The lens needs all layers of ${record.request.name}; ${record.blocks.length} are computed.`,
      );
    for (const position of positions ?? []) positionOf(record, position);
    const { entries, statistics, top } = await this.lens(record, { target, lens: kind, candidates, positions });
    const shape = [entries.length, positions?.length ?? record.L];
    const tensors: Record<string, WireTensor> = {};
    if (top) {
      tensors.top_ids = { shape: [...shape, top.k], data: top.ids };
      tensors.top_probs = { shape: [...shape, top.k], data: Float32Array.from(top.probabilities) };
    }
    for (const name of LENS_STATISTICS)
      if (name !== 'snr_candidates' || candidatesOf(record, target, candidates))
        tensors[name] = { shape, data: Float32Array.from(statistics[name]) };
    const some = positions && { positions: positions.join(','), length: String(record.L) };
    return encodeSafetensors(tensors, { lens: kind, entries: entries.join(','), target: String(target), ...some });
  }

  /**
   * Signal per entry at one position. Of a run that was cancelled, the layers that were finished.
   * @throws ServiceError 409 before the first layer, 422 for a position, target or needle outside the run.
   */
  async signal(record: ModelRecord, query: ReadingQuery<'signal'>, withdrawn: Withdrawn): Promise<Signal> {
    const { target = record.request.target.id, needle = record.request.needle, competing, question, lens } = query;
    checkTarget(record, target);
    const position = positionOf(record, query.position ?? record.request.position);
    if (needle && needle[1] > record.L)
      throw new ServiceError(422, `The needle ends at token ${needle[1]}; the prompt has ${record.L}.`);
    const layers = record.blocks.length;
    if (layers === 0) throw new ServiceError(409, `No layer of ${record.request.name} has been computed yet.`);
    // The run may go on meanwhile: what is finished now is what is answered.
    const complete = isComplete(record);
    const residuals = { B: 1, L: record.L, streams: record.residuals.slice(0, layers + 1) };
    const lensThere = lens === 'logit' ? this.#lensElsewhere(record, { target }) : undefined;
    const curves = lensThere
      ? columnOf(lensThere, position)
      : await withModelOf(this.models, record, async (model) => {
          const translators =
            lens === 'tuned' ? (await tunedLensOf(this.catalogue, model)).slice(0, layers) : undefined;
          return signalAt(model, residuals, {
            position,
            target,
            translators,
            candidates: candidatesOf(record, target),
          });
        });
    const shares =
      query.with && needle
        ? await this.allocations.headline(record, position, { needle, competing, question }, layers, withdrawn)
        : [];
    // The last entry is the model's own output, which a run that was stopped does not have.
    const shown = curves.entries.length - (complete ? 0 : 1);
    const curve = (values: Float64Array) => finite(values.subarray(0, shown));
    return {
      lens,
      entries: curves.entries.slice(0, shown),
      position,
      target,
      needle,
      target_prob: curve(curves.target_prob),
      target_logprob: curve(curves.target_logprob),
      target_log_odds: curve(curves.target_log_odds),
      margin: curve(curves.margin),
      margin_std: curve(curves.margin_std),
      snr_vocab: curve(curves.snr_vocab),
      snr_candidates: curve(curves.snr_candidates),
      needle_against_context: query.with ? onEntries(shares, curves.entries.slice(0, shown)) : null,
    };
  }

  /** The lens that a run from elsewhere brings along, where it is the one that is asked for. */
  #lensElsewhere(record: ModelRecord, { target, lens = 'logit', candidates, positions }: View): Lens | undefined {
    const kept = record.elsewhere?.lens;
    if (!kept || lens !== 'logit' || target !== kept.target) return undefined;
    const asked = new Set(candidatesOf(record, target, candidates));
    const there = new Set(candidatesOf(record, target, kept.candidates));
    if (asked.size !== there.size || [...asked].some((id) => !there.has(id))) return undefined;
    return lensElsewhere(record, kept, positions);
  }

  #remember(record: ModelRecord, view: View, lens: Lens): void {
    const lenses = this.#lenses.get(record) ?? new Map<string, Lens>();
    lenses.set(keyOf(view), lens);
    const first = keyOf({ target: record.request.target.id });
    const [oldest] = [...lenses.keys()].filter((key) => key !== first);
    if (lenses.size > KEPT_LENSES) lenses.delete(oldest);
    this.#lenses.set(record, lenses);
  }
}
