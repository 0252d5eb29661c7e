import type { LayerAllocation, MeasuredValue } from '@/lib/api/allocation';
import type { ExportKind } from '@/lib/api/export';
import type { ReadingBody, ReadingQuery, Signal } from '@/lib/api/readings';
import type { Run, RunModel } from '@/lib/api/schemas';
import { decodeSafetensors, type OutputTensor } from '@/lib/safetensors';
import { tokenizerLabel } from '@/lib/tokenizer';
import {
  type Form,
  isOfShares,
  isReduced,
  isWeighed,
  SIGNAL_METRICS,
  TOKEN_CLASSES,
  type TokenClass,
} from '@/lib/vocabulary';
import type { Body } from '../protocol';

/** Numbers of a run with everything that a reader needs to understand them. */
export interface Numbers {
  /** Part of the file's name. */
  readonly name: string;
  readonly tensors: readonly OutputTensor[];
  /** Labels, units and conventions. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  rows(): Iterable<readonly Cell[]>;
}

export type Cell = string | number | null;

/** Units by column; what is not named is a plain number. */
export const UNITS: Readonly<Record<string, string>> = {
  target_prob: 'probability',
  target_logprob: 'nats',
  target_rank: 'rank, 0 is the top',
  target_log_odds: 'nats',
  margin: 'logits',
  margin_std: 'standard deviations',
  entropy: 'nats',
  kl_final_lens: 'nats',
  snr_vocab: 'standard deviations',
  snr_candidates: 'standard deviations',
  needle_against_context: 'share',
};

const unitsOf = (names: readonly string[]) =>
  names.map((name) => (UNITS[name] ? `${name}: ${UNITS[name]}` : name)).join('; ');

const about = (run: Run, model: RunModel): Record<string, string> => ({
  run: run.id,
  model: model.name,
  weights: run.device?.weights ?? 'float32',
  ...(model.tokenizer && { tokenizer: tokenizerLabel(model.tokenizer) }),
  ...(model.warnings && { warnings: model.warnings.join('\n') }),
  prompt: run.request.prompt,
  tokens: JSON.stringify(model.tokens.map(({ text }) => text)),
  created: new Date(run.timing.createdAt).toISOString(),
});

const tokenIds = ({ tokens }: RunModel): OutputTensor => ({
  name: 'token_ids',
  shape: [tokens.length],
  data: Int32Array.from(tokens, ({ id }) => id),
});

const AXES = 'rows: destination tokens; columns: source tokens; zero above the diagonal, which is not causal';

/** A map as a table, destinations down and sources across, with what belongs to no source in the last column. */
function matrix({ tokens }: RunModel, map: ArrayLike<number>, rest?: ArrayLike<number>) {
  const labels = tokens.map(({ text }, i) => `${i} ${text}`);
  const L = labels.length;
  return {
    columns: ['destination', ...labels, ...(rest ? ['rest'] : [])],
    *rows(): Iterable<readonly Cell[]> {
      for (let i = 0; i < L; i++)
        yield [labels[i], ...Array.prototype.slice.call(map, i * L, (i + 1) * L), ...(rest ? [rest[i]] : [])];
    },
  };
}

/** Units of the values of a map, by form. */
const MAP_UNITS: Readonly<Record<Form, string>> = {
  s6: 'none: weight of an input in the scan',
  softmax: 'none: softmax weight of a key',
  block: 'none: weight of an input in the block',
  logit: 'logits',
  norm: 'norm in the residual stream',
};

/** A map in the form that was asked for, with its tokens on both axes, and what belongs to no source where there is any. */
function mapNumbers(run: Run, model: RunModel, query: ReadingQuery<'map'>, body: Body): Numbers {
  const { tensors, metadata } = decodeSafetensors(body.buffer);
  const map = tensors.get('map');
  if (!map) throw new Error('The map is missing from its own body.');
  const rest = tensors.get('rest');
  const { form } = query;
  const L = model.tokens.length;
  // Contributions are sums over all channels: nothing reduces them.
  const { reduce, ...said } = metadata;
  const reduced = form !== 'logit' && form !== 'norm';
  const view = [form === 's6' ? [] : form, metadata.branch, reduced ? reduce : []];
  return {
    name: `layer-${query.layer}-${view.flat().join('-').replace(':', '-')}`,
    tensors: [
      { name: 'map', shape: [L, L], data: map.data },
      ...(rest ? [{ name: 'rest', shape: [L], data: rest.data }] : []),
      tokenIds(model),
    ],
    metadata: {
      ...about(run, model),
      layer: String(query.layer),
      ...said,
      ...(reduced && { reduce }),
      unit: MAP_UNITS[form],
      ...(rest && { rest: 'bias terms that belong to no source, by destination' }),
      axes: AXES,
    },
    ...matrix(model, map.data, rest?.data),
  };
}

/** A product over layers, of shares or of maps, with its tokens on both axes. */
function rolloutNumbers(run: Run, model: RunModel, query: ReadingQuery<'rollout'>, body: Body): Numbers {
  const { tensors, metadata } = decodeSafetensors(body.buffer);
  const map = tensors.get('map');
  if (!map) throw new Error('The map is missing from its own body.');
  const { start, reduce, method } = query;
  const L = model.tokens.length;
  return {
    name: [isWeighed(method) ? method.replace('_', '-') : `rollout-${method}`, 'from-layer', start].join('-'),
    tensors: [{ name: 'map', shape: [L, L], data: map.data }, tokenIds(model)],
    metadata: {
      ...about(run, model),
      start: String(start),
      ...(isReduced(method) && { reduce }),
      ...metadata,
      unit: isOfShares(method)
        ? 'none: share of the residual stream, rows add up to 1'
        : 'none: product of weights over layers, identity included',
      axes: AXES,
    },
    ...matrix(model, map.data),
  };
}

/** Lens statistics and top tokens at every entry and position. */
function lensNumbers(run: Run, model: RunModel, _query: ReadingQuery<'lens'>, body: Body): Numbers {
  const { tensors, metadata } = decodeSafetensors(body.buffer);
  const entries = metadata.entries.split(',');
  const L = model.tokens.length;
  const top = tensors.get('top_ids');
  const probabilities = tensors.get('top_probs');
  const statistics = [...tensors].filter(([name]) => name !== 'top_ids' && name !== 'top_probs');
  const names = statistics.map(([name]) => name);
  return {
    name: 'lens',
    tensors: [...[...tensors].map(([name, tensor]) => ({ name, ...tensor })), tokenIds(model)],
    metadata: { ...about(run, model), ...metadata, units: unitsOf(names) },
    columns: ['entry', 'position', 'token', ...names, 'top_id', 'top_prob'],
    *rows() {
      const k = top?.shape[2] ?? 0;
      for (const [e, entry] of entries.entries())
        for (let position = 0; position < L; position++) {
          const at = e * L + position;
          const best = [top?.data[at * k] ?? null, probabilities?.data[at * k] ?? null];
          yield [entry, position, model.tokens[position].text, ...statistics.map(([, { data }]) => data[at]), ...best];
        }
    },
  };
}

/** The signal at one position, per entry: the curves that were asked for, NaN where one has no value. */
function signalNumbers(run: Run, model: RunModel, _query: ReadingQuery<'signal'>, signal: Signal): Numbers {
  const { entries, position, target, needle } = signal;
  const metrics = SIGNAL_METRICS.filter((name) => signal[name] !== null);
  const values = (name: (typeof metrics)[number]) => signal[name] as NonNullable<(typeof signal)[typeof name]>;
  return {
    name: `signal-position-${position}`,
    tensors: metrics.map((name) => ({
      name,
      shape: [entries.length],
      data: Float32Array.from(values(name), (value) => value ?? Number.NaN),
    })),
    metadata: {
      ...about(run, model),
      entries: entries.join(','),
      position: String(position),
      target: String(target),
      needle: needle ? needle.join(',') : '',
      units: unitsOf(metrics),
    },
    columns: ['entry', ...metrics],
    *rows() {
      for (const [e, entry] of entries.entries()) yield [entry, ...metrics.map((name) => values(name)[e])];
    },
  };
}

const MEASURES = ['norm_share', 'projection_share', 'alti_share', 'logit'] as const;
const PARTS = ['net', 'branch_1', 'lambda_branch_2'] as const;

/** What every layer reads at one token, by part of the block and class of token; NaN where it is not defined. */
function allocationNumbers(
  run: Run,
  model: RunModel,
  _query: ReadingQuery<'allocation'>,
  { position, classes, layers }: ReadingBody<'allocation'>,
): Numbers {
  const parts = PARTS.filter((part) => layers.some((one) => one[part]));
  const meanOf = (value: MeasuredValue | undefined) => value?.mean ?? Number.NaN;
  const perLayer = (name: string, of: (one: LayerAllocation) => number): OutputTensor => ({
    name,
    shape: [layers.length],
    data: Float32Array.from(layers, of),
  });
  const perClass = (name: string, of: (one: LayerAllocation, each: TokenClass) => number): OutputTensor => ({
    name,
    shape: [layers.length, TOKEN_CLASSES.length],
    data: Float32Array.from(layers.flatMap((one) => TOKEN_CLASSES.map((each) => of(one, each)))),
  });
  return {
    name: `allocation-position-${position}`,
    tensors: [
      ...parts.flatMap((part) => [
        ...MEASURES.map((measure) => perClass(`${part}.${measure}`, (one, each) => meanOf(one[part]?.[measure][each]))),
        perLayer(`${part}.needle_against_context`, (one) => meanOf(one[part]?.needle_against_context)),
      ]),
      perClass('tokens', (one, each) => one.tokens[each]),
      perLayer('chance', ({ chance }) => chance ?? Number.NaN),
    ],
    metadata: {
      ...about(run, model),
      position: String(position),
      classes: TOKEN_CLASSES.join(','),
      class_of_tokens: classes.join(','),
      layers: layers.map(({ layer }) => layer).join(','),
      axes: 'layer, class; of parts that a plain block lacks nothing is a number',
    },
    columns: ['layer', 'part', 'class', 'tokens', ...MEASURES, 'needle_against_context', 'chance'],
    *rows() {
      for (const one of layers)
        for (const part of parts) {
          const read = one[part];
          if (!read) continue;
          const [needle, chance] = [meanOf(read.needle_against_context), one.chance];
          for (const each of TOKEN_CLASSES) {
            const values = MEASURES.map((measure) => meanOf(read[measure][each]));
            yield [one.layer, part, each, one.tokens[each], ...values, needle, chance];
          }
        }
    },
  };
}

/** How each reading that can be exported becomes numbers. */
export const NUMBERS: {
  readonly [N in ExportKind]: (run: Run, model: RunModel, query: ReadingQuery<N>, body: ReadingBody<N>) => Numbers;
} = {
  map: mapNumbers,
  rollout: rolloutNumbers,
  lens: lensNumbers,
  signal: signalNumbers,
  allocation: allocationNumbers,
};
