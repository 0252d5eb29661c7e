import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { type KernelInputs, type Overrides, sizeOf } from '../override';
import { optionalFloats } from './operands';

/** Parameters of a mixer, in the order in which the kernel takes them. */
const PARAMETERS = ['inProj', 'convWeight', 'convBias', 'dtBias', 'A_log', 'D', 'mixerNorm', 'outProj'] as const;
type Parameter = (typeof PARAMETERS)[number];
type Arrays = Readonly<Record<Parameter, Float32Array | null>>;

/** Sizes of a block; two mixers count as one of twice the width, heads and groups. */
function sizesOf({ inputs, attrs }: KernelInputs) {
  const times = inputs.share ? 2 : 1;
  const [batch, L, d] = inputs.h.shape;
  const [C, , K] = inputs.convWeight.shape;
  const [E] = inputs.mixerNorm.shape;
  const [H] = inputs.A_log.shape;
  const states = (C - E) / 2;
  const joint = { C: times * C, E: times * E, H: times * H, R: times * (E + C + H) };
  const N = states / attrs.groups;
  const numbers = [batch, L, d, joint.H, E / H, times * attrs.groups, N, K, ...(attrs.epsilons as number[])];
  /** Of one mixer: rows of each part of its parameters that the joint one has side by side. */
  const parts: Readonly<Record<Parameter, readonly number[]>> = {
    inProj: [E, E, states, states, H],
    convWeight: [E, states, states],
    convBias: [E, states, states],
    dtBias: [H],
    A_log: [H],
    D: [H],
    mixerNorm: [E],
    outProj: new Array(d).fill(1),
  };
  return { batch, L, d, rows: batch * L, ...joint, parts, numbers };
}

/** body(from, to, length) for the parts of two mixers' parameter where they lie in each and in the joint one. */
function eachPart(
  parts: readonly number[],
  size: number,
  body: (mixer: 0 | 1, own: number, joint: number, length: number) => void,
): void {
  const row = size / parts.reduce((sum, rows) => sum + rows, 0);
  let own = 0;
  for (const rows of parts) {
    const length = rows * row;
    body(0, own, 2 * own, length);
    body(1, own, 2 * own + length, length);
    own += length;
  }
}

/** What the second mixer's output counts in row i of the output projection. */
function sharesOf(backend: NativeBackend, { share }: KernelInputs['inputs'], d: number): (row: number) => number {
  const values = backend.floats(share);
  return values.length === d ? (row) => values[row] : () => values[0];
}

/** The parameters of the block's one mixer, or of both as one; `own` are new, for the caller to recycle. */
function joined(call: KernelInputs): { arrays: Arrays; subln: Float32Array | null; own: Float32Array[] } {
  const { backend, inputs, attrs } = call;
  const { parts, d } = sizesOf(call);
  const own: Float32Array[] = [];
  const take = (length: number) => {
    const buffer = backend.allocate(length);
    own.push(buffer);
    return buffer;
  };
  const both = (name: Parameter): Float32Array | null => {
    const first = optionalFloats(backend, inputs[name]);
    if (!inputs.share || !first) return first;
    const sources = [first, backend.floats(inputs[`${name}_2`])];
    const joint = take(2 * first.length);
    eachPart(parts[name], first.length, (mixer, from, to, length) => {
      joint.set(sources[mixer].subarray(from, from + length), to);
    });
    return joint;
  };
  const arrays = Object.fromEntries(PARAMETERS.map((name) => [name, both(name)])) as Record<Parameter, Float32Array>;
  // A norm takes the scale where there is one, the projection where there is none.
  const scale = inputs.subln ? 1 : (attrs.scale as number);
  if (inputs.share) {
    const share = sharesOf(backend, inputs, d);
    eachPart(parts.outProj, arrays.outProj.length / 2, (mixer, from, to, length) => {
      const factor = mixer === 0 ? scale : scale * share(from / length);
      if (factor !== 1) for (let i = to; i < to + length; i++) arrays.outProj[i] *= factor;
    });
  } else if (scale !== 1) {
    const source = arrays.outProj;
    arrays.outProj = take(source.length);
    source.forEach((value, i) => {
      arrays.outProj[i] = scale * value;
    });
  }
  const subln = inputs.subln ? take(d) : null;
  if (subln)
    backend.floats(inputs.subln).forEach((value, i) => {
      subln[i] = attrs.scale * value;
    });
  return { arrays, subln, own };
}

/** The operands that forward and backward passes share, up to the subln. */
function operands({ backend, inputs }: KernelInputs, { arrays, subln }: ReturnType<typeof joined>) {
  return [backend.floats(inputs.h), backend.floats(inputs.norm), ...PARAMETERS.map((name) => arrays[name]), subln];
}

/** The block of `kernels/ops` around one or two Mamba-2 mixers; inputs were checked there. */
export const ssdBlock: Overrides = {
  SsdBlock(call) {
    const { backend, inputs } = call;
    const { batch, L, d, rows, C, E, H, R, numbers } = sizesOf(call);
    const [projected, mixed, delta, scanned] = [R, C, H, E].map((width) => backend.allocate(rows * width));
    const added = inputs.subln ? backend.allocate(rows * d) : null;
    const y = backend.allocate(rows * d);
    const weights = joined(call);
    kernels.ssdBlock(...operands(call, weights), projected, mixed, delta, scanned, added, y, ...numbers);
    for (const buffer of weights.own) backend.recycle(buffer);
    return [
      backend.output([batch, L, d], y),
      backend.output([batch, L, R], projected),
      backend.output([batch, L, C], mixed),
      backend.output([batch, L, H], delta),
      backend.output([batch, L, E], scanned),
      ...(added ? [backend.output([batch, L, d], added)] : []),
    ];
  },

  SsdBlockGrad(call) {
    const { backend, inputs } = call;
    const { numbers, parts, d } = sizesOf(call);
    const weights = joined(call);
    const likeInput = (name: string) => backend.allocate(sizeOf(inputs[name].shape));
    const joint = (name: Parameter) => weights.arrays[name] && backend.allocate(weights.arrays[name].length);
    const [dh, dnorm] = [likeInput('h'), likeInput('norm')];
    const found = Object.fromEntries(PARAMETERS.map((name) => [name, joint(name)])) as Arrays;
    const dsubln = weights.subln && backend.allocate(d);
    const kept = ['projected', 'mixed', 'delta', 'scanned'].map((name) => backend.floats(inputs[name]));
    kernels.ssdBlockGrad(
      ...operands(call, weights),
      ...kept,
      optionalFloats(backend, inputs.added),
      backend.floats(inputs.dy),
      dh,
      dnorm,
      ...PARAMETERS.map((name) => found[name]),
      dsubln,
      ...numbers,
    );
    const gradients: Record<string, Float32Array> = { h: dh, norm: dnorm };
    if (dsubln) gradients.subln = dsubln.map((value) => call.attrs.scale * value);
    if (inputs.share) Object.assign(gradients, apart(call, found, parts));
    else Object.assign(gradients, ofOne(call, found));
    for (const buffer of weights.own) backend.recycle(buffer);
    return Object.entries(inputs)
      .filter(([name]) => name in gradients)
      .map(([name, { shape }]: [string, tf.TensorInfo]) => backend.output(shape, gradients[name]));
  },
};

/** The gradients of a block's one mixer. */
function ofOne({ inputs, attrs }: KernelInputs, found: Arrays): Arrays {
  const scale = inputs.subln ? 1 : (attrs.scale as number);
  const { outProj } = found;
  if (scale !== 1 && outProj) for (let i = 0; i < outProj.length; i++) outProj[i] *= scale;
  return found;
}

/** The gradients of two mixers and of the second one's share, from those of both as one, which are given back. */
function apart(
  { backend, inputs, attrs }: KernelInputs,
  found: Arrays,
  parts: Readonly<Record<Parameter, readonly number[]>>,
): Record<string, Float32Array> {
  const gradients: Record<string, Float32Array> = {};
  for (const name of PARAMETERS) {
    const joint = found[name];
    if (!joint) continue;
    const both = [backend.allocate(joint.length / 2), backend.allocate(joint.length / 2)];
    eachPart(parts[name], joint.length / 2, (mixer, to, from, length) => {
      both[mixer].set(joint.subarray(from, from + length), to);
    });
    [gradients[name], gradients[`${name}_2`]] = both;
    backend.recycle(joint);
  }
  const [d, E] = inputs.outProj.shape;
  const scale = inputs.subln ? 1 : (attrs.scale as number);
  const share = sharesOf(backend, inputs, d);
  const dshare = new Float32Array(sizeOf(inputs.share.shape));
  const [first, second, weight] = [gradients.outProj, gradients.outProj_2, backend.floats(inputs.outProj_2)];
  let whole = 0;
  for (let row = 0; row < d; row++) {
    const factor = scale * share(row);
    let sum = 0;
    for (let i = row * E; i < (row + 1) * E; i++) {
      sum += second[i] * weight[i];
      second[i] *= factor;
    }
    if (scale !== 1) for (let i = row * E; i < (row + 1) * E; i++) first[i] *= scale;
    if (dshare.length === d) dshare[row] = scale * sum;
    whole += scale * sum;
  }
  if (dshare.length !== d) dshare[0] = whole;
  gradients.share = dshare;
  return gradients;
}
