import { type BlockConfig, type BlockKind, SUBLN_EPSILON } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';

/** Where the two branches of a block are read, and the width of what is read. */
interface Wiring {
  readonly hooks: readonly [first: string, second: string];
  /** Output projection after the difference, shared by both branches. */
  readonly shared: boolean;
}

const SEPARATE: Wiring = { hooks: ['mixer_1.hook_out_proj', 'mixer_2.hook_out_proj'], shared: false };

const WIRING: Readonly<Partial<Record<BlockKind, Wiring>>> = {
  diff_mamba1: SEPARATE,
  diff_mamba2: SEPARATE,
  diff_mamba2e: { hooks: ['hook_mixer_out', 'hook_mixer_out'], shared: false },
  diff_s6: { hooks: ['mixer_1.hook_after_skip', 'mixer_2.hook_after_skip'], shared: true },
  diff_s6_mamba2: { hooks: ['mixer_1.hook_gated_norm', 'mixer_2.hook_gated_norm'], shared: true },
};

/** Hook points, relative to the block, that {@link branchParts} reads. */
export function branchHooks(kind: BlockKind): string[] {
  const wiring = WIRING[kind];
  return ['hook_out_proj', ...(wiring ? [...new Set(wiring.hooks), 'hook_lambda', 'hook_diff'] : [])];
}

/**
 * What the parts of block i add to u · out at one position: `mixer` of a plain block, the branches of a differential one
 * (spec A4), and the biases of the output projections where there are any.
 * @param read rows [P,width] of a hook point of the block; λ whole
 * @param u covector of the residual stream [d]
 */
export function branchParts(
  model: Model,
  i: number,
  read: (hook: string) => Float32Array,
  position: number,
  u: Float64Array,
): Partial<Record<'mixer' | 'branch_1' | 'minus_lambda_branch_2' | 'bias', number>> {
  const block = model.config.blocks[i];
  const weight = (name: string) =>
    model.parameters.get(`backbone.layers.${i}.${name}`)?.dataSync() as Float32Array | undefined;
  const row = (hook: string, width: number) => read(hook).subarray(position * width, (position + 1) * width);
  const wiring = WIRING[block.kind];
  if (!wiring) {
    const bias = weight('mixer.out_proj.bias');
    const total = dot(row('hook_out_proj', u.length), u);
    return bias ? { mixer: total - dot(bias, u), bias: dot(bias, u) } : { mixer: total };
  }

  const lambda = read('hook_lambda');
  const lambdaAt = (k: number) => lambda[lambda.length === 1 ? 0 : k];
  const through = wiring.shared ? projected(weight('mixer.out_proj.weight') as Float32Array, u) : u;
  const width = block.kind === 'diff_mamba2e' ? u.length / 2 : through.length;
  const v = scaled(block, through, width, weight, row('hook_diff', width));
  const [first, second] = branchesAt(block.kind, wiring, row, through.length);
  const branch1 = dot(first, v);
  const branch2 = -sum(v, (value, k) => value * lambdaAt(k) * second[k]);

  if (wiring.shared) {
    const bias = weight('mixer.out_proj.bias');
    return { branch_1: branch1, minus_lambda_branch_2: branch2, ...(bias && { bias: dot(bias, u) }) };
  }
  const biases = biasesOf(block.kind, weight);
  if (!biases) return { branch_1: branch1, minus_lambda_branch_2: branch2 };
  const bias1 = dot(biases[0], v);
  const bias2 = -sum(v, (value, k) => value * lambdaAt(k) * biases[1][k]);
  return { branch_1: branch1 - bias1, minus_lambda_branch_2: branch2 - bias2, bias: bias1 + bias2 };
}

type Weight = (name: string) => Float32Array | undefined;

/** The covector of δ = branch₁ − λ branch₂: (1 − λ_init) subln ⊙ u / rms(δ), u [width or 2·width]; halves add up. */
function scaled(
  { kind, lambdaInit = 0, subln = true }: BlockConfig,
  u: Float64Array,
  width: number,
  weight: Weight,
  delta: Float32Array,
): Float64Array {
  if (kind === 'diff_s6') return u;
  const scale = subln && weight(kind === 'diff_s6_mamba2' ? 'mixer.subln.weight' : 'subln.weight');
  const mean = sum(delta, (value) => value * value) / width;
  const factor = (1 - lambdaInit) / (scale ? Math.sqrt(mean + SUBLN_EPSILON) : 1);
  const v = new Float64Array(width);
  for (let k = 0; k < u.length; k++) v[k % width] += factor * (scale ? scale[k] : 1) * u[k];
  return v;
}

/** In `diff_mamba2e` the upper half of the mixer's output is branch 1 and the lower half branch 2. */
function branchesAt(
  kind: BlockKind,
  { hooks }: Wiring,
  row: (hook: string, width: number) => Float32Array,
  width: number,
): [Float32Array, Float32Array] {
  if (kind !== 'diff_mamba2e') return [row(hooks[0], width), row(hooks[1], width)];
  const whole = row(hooks[0], width);
  return [whole.subarray(width / 2), whole.subarray(0, width / 2)];
}

function biasesOf(kind: BlockKind, weight: Weight): [Float32Array, Float32Array] | undefined {
  if (kind === 'diff_mamba2e') {
    const whole = weight('mixer.out_proj.bias');
    return whole && [whole.subarray(whole.length / 2), whole.subarray(0, whole.length / 2)];
  }
  const [first, second] = ['mixer_1.out_proj.bias', 'mixer_2.out_proj.bias'].map(weight);
  return first && second && [first, second];
}

/** W^T u for W [d,E]. */
function projected(W: Float32Array, u: Float64Array): Float64Array {
  const E = W.length / u.length;
  const v = new Float64Array(E);
  for (let i = 0; i < u.length; i++) for (let e = 0; e < E; e++) v[e] += W[i * E + e] * u[i];
  return v;
}

function sum(values: Float32Array | Float64Array, term: (value: number, k: number) => number): number {
  let total = 0;
  for (let k = 0; k < values.length; k++) total += term(values[k], k);
  return total;
}

const dot = (a: Float32Array, b: Float64Array) => sum(b, (value, k) => value * a[k]);
