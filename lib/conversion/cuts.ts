/**
 * Which part of a plain mixer each branch of a differential block inherits.
 *
 * A plain mixer has E = 2d inner channels, each branch has d. Symbols as in `lib/architectures/types`.
 */

import type { MixerConfig } from '@/lib/checkpoint';

/** The first branch (`mixer_1`) or the second (`mixer_2`). */
export type Branch = 1 | 2;

/** Half-open ranges of indices that are kept along one axis, in this order. */
export interface Cut {
  readonly axis: number;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

/** A cut for a tensor of a mixer, or undefined where the branch inherits the tensor whole. */
export type CutOf = (
  name: string,
  source: readonly number[],
  target: readonly number[],
  branch: Branch,
) => Cut | undefined;

/**
 * The slice of the Diff-Mamba authors' `from_pretrained_block` (equations B): whatever shrinks keeps its first rows (or
 * columns) in branch 1 and its last in branch 2, with no regard to what the rows of in_proj and conv1d mean. At d = 1024
 * branch 1 takes the rows 0–2335 of in_proj and so reads its x, B, C and dt from rows that made z and x, and branch 2
 * the rows 2048–4383, where B, C and dt stay in place but z comes from rows that made x.
 *
 * The authors convert Mamba-2 only; the same rule on a Mamba-1 mixer, [x | z], gives branch 1 all of its in_proj rows
 * from x and branch 2 all from z.
 */
export const rawCut: CutOf = (_name, source, target, branch) => {
  const axis = source.findIndex((size, i) => size !== target[i]);
  if (axis < 0) return undefined;
  const [from, to] = [source[axis], target[axis]];
  return { axis, ranges: [branch === 1 ? [0, to] : [from - to, from]] };
};

/**
 * The slice that respects the layout of a Mamba-2 mixer. Each head keeps its Δ, A, D, B and C in both branches, and its
 * P channels are dealt out: the first P/2 to branch 1, the last P/2 to branch 2. With `own` the branch's channels
 * {hP + p}, p in its half, for h = 0 … H−1 in order:
 *
 * | tensor | kept |
 * |---|---|
 * | in_proj rows [z (E) \| x (E) \| B, C (2GN) \| dt (H)] | own of z, own of x, all of B, C and dt |
 * | conv1d channels [x (E) \| B, C (2GN)] | own of x, all of B and C |
 * | norm.weight, columns of out_proj | own |
 * | A_log, D, dt_bias, out_proj.bias | whole |
 *
 * Up to the gated norm the two branches then compute exactly the plain mixer's own channels; the norm takes its mean
 * over half of the channels, so M₁ + M₂ is the plain mixer but for those two scales (and an out_proj bias, if any).
 */
export function awareMamba2Cut({ E, G, N, H, P }: MixerConfig): CutOf {
  return (name, _source, _target, branch) => {
    const half = P / 2;
    const own = (offset: number) =>
      Array.from({ length: H }, (_, h) => {
        const from = offset + h * P + (branch - 1) * half;
        return [from, from + half] as const;
      });
    switch (name) {
      case 'in_proj.weight':
      case 'in_proj.bias':
        return { axis: 0, ranges: [...own(0), ...own(E), [2 * E, 2 * E + 2 * G * N + H]] };
      case 'conv1d.weight':
      case 'conv1d.bias':
        return { axis: 0, ranges: [...own(0), [E, E + 2 * G * N]] };
      case 'norm.weight':
        return { axis: 0, ranges: own(0) };
      case 'out_proj.weight':
        return { axis: 1, ranges: own(0) };
      default:
        return undefined;
    }
  };
}

/**
 * The slice that respects the layout of a Mamba-1 mixer, whose channels are each a head of their own: branch 1 takes the
 * first E/2 channels, branch 2 the last, in both halves of in_proj [x (E) | z (E)], in conv1d, A_log, D, the rows of
 * dt_proj, and the columns of x_proj and out_proj.
 *
 * x before the scan and the gate z are then exactly the plain mixer's. [δ | B | C] = W_x x are sums over all channels,
 * of which each branch has its half: those of the two branches add up to the plain mixer's.
 */
export function awareMamba1Cut({ E }: MixerConfig): CutOf {
  return (name, _source, _target, branch) => {
    const own = (offset: number) => [offset + (branch - 1) * (E / 2), offset + branch * (E / 2)] as const;
    switch (name) {
      case 'in_proj.weight':
      case 'in_proj.bias':
        return { axis: 0, ranges: [own(0), own(E)] };
      case 'x_proj.weight':
      case 'out_proj.weight':
        return { axis: 1, ranges: [own(0)] };
      case 'out_proj.bias':
        return undefined;
      default:
        return { axis: 0, ranges: [own(0)] };
    }
  };
}

/** Copies the kept part of a row-major tensor. Cost: one pass over what is kept. */
export function applyCut(
  data: Float32Array,
  shape: readonly number[],
  { axis, ranges }: Cut,
): Float32Array<ArrayBuffer> {
  const product = (sizes: readonly number[]) => sizes.reduce((whole, size) => whole * size, 1);
  const [outer, inner] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
  const kept = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const result = new Float32Array(outer * kept * inner);
  let position = 0;
  for (let row = 0; row < outer; row++) {
    const start = row * shape[axis] * inner;
    for (const [from, to] of ranges) {
      result.set(data.subarray(start + from * inner, start + to * inner), position);
      position += (to - from) * inner;
    }
  }
  return result;
}
