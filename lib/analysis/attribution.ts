import * as tf from '@tensorflow/tfjs';
import { anatomyOf } from '@/lib/architectures';
import type { Port } from '@/lib/architectures/types';
import { type BlockConfig, InputError, isDifferential, isHybrid } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { logitDirections } from './direction';
import { halfOf, type MixerName, type Operator, operatorOf } from './operator';
import { drain } from './steps';

/**
 * Which part of a block: all of a plain mixer, branch 1, −λ · branch 2, attention and Mamba of a hybrid, the biases of output
 * projections, or all of an MLP.
 */
export type AttributionPart =
  | 'embedding'
  | 'mixer'
  | 'branch_1'
  | 'minus_lambda_branch_2'
  | 'attention'
  | 'mamba'
  | 'bias'
  | 'mlp';

export interface AttributionComponent {
  /** −1 for the embedding. */
  readonly block: number;
  readonly part: AttributionPart;
}

export interface Attribution {
  readonly targets: readonly number[];
  readonly positions: readonly number[];
  readonly components: readonly AttributionComponent[];
  /** Contribution of each component to the logit, [targets, components, positions]. */
  readonly contributions: Float64Array;
  /** What each block adds as a whole, read off its output, [targets, blocks, positions]. */
  readonly blocks: Float64Array;
  /** The logits themselves, [targets, positions]. */
  readonly logits: Float64Array;
  /** Largest |logit − sum of the contributions|, as a share of the largest logit. */
  readonly error: number;
}

export interface AttributionRequest {
  /** Token ids whose logits are taken apart. */
  readonly targets: readonly number[];
  /** Default the last. */
  readonly positions?: readonly number[];
}

/**
 * Direct logit attribution, the final norm frozen: with u_w(i) = W_U[w] ⊙ norm_f.weight / rms(h(i)), the logit of token w at
 * position i is u_w · (embedding + Σ blocks), and within a differential block
 *
 *     out = (1 − λ_init) subln ⊙ (branch₁ − λ branch₂) / rms(δ)      (1/rms(δ) frozen, too; equations A4)
 *
 * splits into its branches and the biases of the output projections. Exact: the contributions add up to the logit.
 * Cost: one forward pass, and E·d operations per target, position and block where branches share an output projection.
 * @throws InputError for targets or positions that do not fit.
 */
export function directLogitAttribution(
  model: Model,
  tokens: readonly number[],
  { targets, positions = [tokens.length - 1] }: AttributionRequest,
): Attribution {
  checkRequest(model, tokens, targets, positions);
  const { config } = model;
  const { d } = config;
  const components: AttributionComponent[] = [{ block: -1, part: 'embedding' }];
  const rows: Float64Array[] = [];
  const totals: Float64Array[] = [];
  const cache = new Map<string, Float32Array>();
  const names = config.blocks.flatMap((block, i) => portNames(block).map((name) => `blocks.${i}.${name}`));
  const hooks = ['hook_embed', ...names].map(
    (name): Hook => [name, (value, at) => void cache.set(at, picked(value, positions))],
  );
  const last = streamOf(model, tokens, hooks, positions);
  const covectors = logitDirections(model, last, targets);
  const at = (name: string) => cache.get(name) as Float32Array;
  const against = (values: Float32Array) => covectors.map((u, k) => dotAt(values, k % positions.length, u));

  rows.push(Float64Array.from(against(at('hook_embed'))));
  config.blocks.forEach((block, index) => {
    const read = (name: string) => at(`blocks.${index}.${name}`);
    const seen = isDifferential(block) ? { diff: read('hook_diff'), lambda: read('hook_lambda') } : {};
    const operator = operatorOf(model, { index, out: read('hook_out_proj'), ...seen });
    const mlp = mlpOf(block);
    const found = covectors.map((u, k) => {
      const parts = partsAt(operator, isDifferential(block), read, k % positions.length, u);
      return mlp ? { ...parts, mlp: mlp.scale * dotAt(read(mlp.point), k % positions.length, u) } : parts;
    });
    for (const part of Object.keys(found[0]) as Exclude<AttributionPart, 'embedding'>[]) {
      components.push({ block: index, part });
      rows.push(Float64Array.from(found, (parts) => parts[part] as number));
    }
    const mixed = against(read('hook_out_proj'));
    const behind = found.map((parts) => (mlp && operator.branches.length > 0 ? (parts.mlp as number) : 0));
    totals.push(Float64Array.from(mixed, (value, k) => value + behind[k]));
  });
  const logits = Float64Array.from(covectors, (u, k) => dotAt(last, k % positions.length, u));
  return {
    targets,
    positions,
    components,
    contributions: byTarget(rows, targets.length, positions.length),
    blocks: byTarget(totals, targets.length, positions.length),
    logits,
    error: largestGap(rows, logits),
  };

  function dotAt(values: Float32Array, position: number, u: Float64Array): number {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += values[position * d + i] * u[i];
    return sum;
  }
}

/** The residual stream after the last block at the positions, [P,d]; nothing stays on the device. */
function streamOf(model: Model, tokens: readonly number[], hooks: readonly Hook[], positions: readonly number[]) {
  const last = drain(model.blocksOf([tokens], hooks));
  const rows = picked(last, positions);
  last.dispose();
  return rows;
}

/** Rows [P,width] of a [1,L,width] tensor; a tensor without positions whole. */
function picked(value: tf.Tensor, positions: readonly number[]): Float32Array {
  const rows = tf.tidy(() =>
    value.rank === 3 ? tf.gather(value, tf.tensor1d([...positions], 'int32'), 1).clone() : value.clone(),
  );
  const values = (rows.dataSync() as Float32Array).slice();
  rows.dispose();
  return values;
}

/** Hook points, relative to the block, that its parts are read at. */
const portNames = (block: BlockConfig): string[] => {
  const branches = anatomyOf(block).difference?.branches.map(({ point }) => point) ?? [];
  const { scans, attention } = anatomyOf(block);
  const outputs = [...scans.flatMap(({ output }) => output ?? []), ...(attention ? ['attn_out'] : [])];
  const mlp = mlpOf(block);
  return [
    'hook_out_proj',
    ...outputs.map((output) => `hook_${output}`),
    ...(mlp ? [mlp.point] : []),
    ...(branches.length > 0 ? [...new Set(branches), 'hook_lambda', 'hook_diff'] : []),
  ];
};

/** Where the MLP of a block is seen, and what it is multiplied by. */
const mlpOf = (block: BlockConfig) =>
  isHybrid(block) && block.mlp ? { point: 'hook_mlp_out', scale: block.scales.mlp } : undefined;

/**
 * What the parts of a block add to u · out at one position: `mixer` of a plain block, the branches of a differential one
 * (equations A4), and the biases of the output projections where there are any.
 * @param read rows [P,width] of a hook point of the block
 */
function partsAt(
  operator: Operator,
  differential: boolean,
  read: (hook: string) => Float32Array,
  position: number,
  u: Float64Array,
): Partial<Record<Exclude<AttributionPart, 'embedding'>, number>> {
  const { d, branches, scale, fixed } = operator;
  const v = operator.covector(u, position);
  const values = branches.map(({ port, factor, bias }) => {
    const whole = read(port.point);
    const width = whole.length / scale.length;
    const row = halfOf(whole.subarray(position * width, (position + 1) * width), port);
    let sum = 0;
    for (let c = 0; c < v.length; c++) sum += v[c] * factor(c) * (row[c] - (bias?.[c] ?? 0));
    return sum;
  });
  let bias = 0;
  for (let c = 0; c < d; c++) bias += u[c] * (fixed?.[position * d + c] ?? 0);
  const parts = Object.fromEntries(
    branches.map(({ mixer, port }, k) => [nameOf(mixer, port, k, differential), values[k]]),
  );
  return fixed ? { ...parts, bias } : parts;
}

/** What a branch of a block is called. */
function nameOf(mixer: MixerName, { point }: Port, k: number, differential: boolean): AttributionPart {
  if (differential) return k === 0 ? 'branch_1' : 'minus_lambda_branch_2';
  if (mixer === 'attention') return 'attention';
  return point === 'hook_out_proj' ? 'mixer' : 'mamba';
}

/** Rows of [targets · positions] values, one per component, to [targets, components, positions]. */
function byTarget(rows: readonly Float64Array[], T: number, P: number): Float64Array {
  const values = new Float64Array(T * rows.length * P);
  for (let t = 0; t < T; t++)
    rows.forEach((row, c) => {
      values.set(row.subarray(t * P, (t + 1) * P), (t * rows.length + c) * P);
    });
  return values;
}

function largestGap(rows: readonly Float64Array[], logits: Float64Array): number {
  let [gap, size] = [0, 1e-30];
  logits.forEach((logit, k) => {
    gap = Math.max(gap, Math.abs(logit - rows.reduce((sum, row) => sum + row[k], 0)));
    size = Math.max(size, Math.abs(logit));
  });
  return gap / size;
}

function checkRequest(
  { config, name }: Model,
  tokens: readonly number[],
  targets: readonly number[],
  positions: readonly number[],
): void {
  if (targets.length === 0) throw new InputError('There is no target: name at least one token id.');
  const token = targets.find((id) => !Number.isInteger(id) || id < 0 || id >= config.V);
  if (token !== undefined)
    throw new InputError(`Token id ${token} is outside the vocabulary of ${name}: ids go from 0 to ${config.V - 1}.`);
  const position = positions.find((t) => !Number.isInteger(t) || t < 0 || t >= tokens.length);
  if (position !== undefined)
    throw new InputError(
      `There is no position ${position}: the input has ${tokens.length} tokens, positions 0 to ${tokens.length - 1}.`,
    );
}
