import * as tf from '@tensorflow/tfjs';
import * as reference from '../reference';
import {
  CONV_CASES,
  convInput,
  lossInput,
  NORM_CASES,
  normInput,
  SCAN_CASES,
  SSD_CASES,
  s6AttentionInput,
  scanInput,
  ssdAttentionInput,
  ssdInput,
} from '../reference/cases';
import { Random } from '../reference/random';
import {
  causalConv1d,
  crossEntropy,
  rmsNorm,
  s6Attention,
  selectiveScan,
  selectiveScanWithState,
  silu,
  ssdAttention,
  ssdScan,
  ssdScanWithState,
} from '.';
import { smallBlockCases } from './block-cases';
import type { OpCase } from './op-case';

/** Selective scan on the case `c`, its gradients included. */
export function scanCase(c: Parameters<typeof scanInput>[0], seed = 1): OpCase {
  const input = scanInput(c, seed);
  const { batch: b, L, E, N, softplus } = input;
  const seq = [b, L, E];
  const dy = randomDy(b * L * E);
  const dState = c.final ? randomDy(b * E * N) : undefined;
  const { y, state } = reference.selectiveScanWithState(input);
  return {
    name: `selectiveScan ${JSON.stringify(c)}`,
    inputs: present({
      x: [input.x, seq],
      delta: [input.delta, seq],
      A: [input.A, [E, N]],
      B: [input.B, [b, L, N]],
      C: [input.C, [b, L, N]],
      D: [input.D, [E]],
      z: [input.z, seq],
      state: [input.state, [b, E, N]],
    }),
    run: (t) =>
      c.final ? joined(selectiveScanWithState(t as never, { softplus })) : selectiveScan(t as never, { softplus }),
    expected: dState ? Float64Array.of(...y, ...state) : y,
    dy: dState ? Float64Array.of(...dy, ...dState) : dy,
    gradients: { ...reference.selectiveScanGrad(input, dy, dState) },
  };
}

/** SSD scan on the case `c`, its gradients included. */
export function ssdCase(c: Parameters<typeof ssdInput>[0], seed = 1): OpCase {
  const input = ssdInput(c, seed);
  const { batch: b, L, H, P, G, N } = input;
  const dy = randomDy(b * L * H * P);
  const dState = c.final ? randomDy(b * H * P * N) : undefined;
  const { y, state } = reference.ssdScanWithState(input);
  return {
    name: `ssdScan ${JSON.stringify(c)}`,
    inputs: present({
      x: [input.x, [b, L, H, P]],
      delta: [input.delta, [b, L, H]],
      A: [input.A, [H]],
      B: [input.B, [b, L, G, N]],
      C: [input.C, [b, L, G, N]],
      D: [input.D, [H]],
      state: [input.state, [b, H, P, N]],
    }),
    run: (t) => (c.final ? joined(ssdScanWithState(t as never)) : ssdScan(t as never)),
    expected: dState ? Float64Array.of(...y, ...state) : y,
    dy: dState ? Float64Array.of(...dy, ...dState) : dy,
    gradients: { ...reference.ssdScanGrad(input, dy, dState) },
  };
}

export function convCase(c: Parameters<typeof convInput>[0]): OpCase {
  const input = convInput(c);
  const { batch: b, L, E, K } = input;
  const dy = randomDy(b * L * E);
  return {
    name: `causalConv1d ${JSON.stringify(c)}`,
    inputs: present({ x: [input.x, [b, L, E]], weight: [input.weight, [E, 1, K]], bias: [input.bias, [E]] }),
    run: (t) =>
      causalConv1d(t.x as tf.Tensor3D, t.weight as tf.Tensor3D, (t.bias as tf.Tensor1D) ?? null, {
        activation: input.silu ? 'silu' : undefined,
      }),
    expected: reference.causalConv1d(input),
    dy,
    gradients: { ...reference.causalConv1dGrad(input, dy) },
  };
}

export function normCase(c: Parameters<typeof normInput>[0]): OpCase {
  const input = normInput(c);
  const { rows, E, epsilon, groups } = input;
  const dy = randomDy(rows * E);
  return {
    name: `rmsNorm ${JSON.stringify(c)}`,
    inputs: present({ x: [input.x, [1, rows, E]], weight: [input.weight, [E]], gate: [input.gate, [1, rows, E]] }),
    run: (t) => rmsNorm(t.x, t.weight as tf.Tensor1D, { epsilon, groups, gate: t.gate }),
    expected: reference.rmsNorm(input),
    dy,
    gradients: { ...reference.rmsNormGrad(input, dy) },
  };
}

export function siluCase(size: number): OpCase {
  const x = new Random(1).normal(size, 4).map(Math.fround);
  const dy = randomDy(size);
  return {
    name: `silu of ${size}`,
    inputs: present({ x: [x, [size]] }),
    run: (t) => silu(t.x),
    expected: reference.silu(x),
    dy,
    gradients: { x: reference.siluGrad(x, dy) },
  };
}

export function lossCase(rows: number, V: number): OpCase {
  const input = lossInput(rows, V);
  const { loss, logSumExp } = reference.crossEntropy(input);
  return {
    name: `crossEntropy of [${rows},${V}]`,
    inputs: present({ logits: [input.logits, [rows, V]] }),
    run: (t) => crossEntropy(t.logits as tf.Tensor2D, tf.tensor1d(input.labels, 'int32')),
    expected: Float64Array.of(loss),
    dy: Float64Array.of(1.5),
    gradients: { logits: reference.crossEntropyGrad(input, logSumExp, 1.5) },
  };
}

export function s6AttentionCase(L: number, E: number, N: number, reduce: reference.ChannelReduction): OpCase {
  const input = s6AttentionInput(L, E, N);
  return {
    name: `s6Attention L=${L} E=${E} N=${N} ${JSON.stringify(reduce)}`,
    inputs: present({
      delta: [input.delta, [L, E]],
      A: [input.A, [E, N]],
      B: [input.B, [L, N]],
      C: [input.C, [L, N]],
    }),
    run: (t) => s6Attention(t as never, { reduce }),
    expected: reference.s6Attention(input, reduce),
  };
}

export function ssdAttentionCase(L: number, H: number, G: number, N: number, reduce: reference.HeadReduction): OpCase {
  const input = ssdAttentionInput(L, H, G, N);
  return {
    name: `ssdAttention L=${L} H=${H} G=${G} N=${N} ${JSON.stringify(reduce)}`,
    inputs: present({
      delta: [input.delta, [L, H]],
      A: [input.A, [H]],
      B: [input.B, [L, G, N]],
      C: [input.C, [L, G, N]],
    }),
    run: (t) => ssdAttention(t as never, { reduce }),
    expected: reference.ssdAttention(input, reduce),
  };
}

/** Every operation over small awkward shapes; for every device. */
export function smallCases(): OpCase[] {
  return [
    ...SCAN_CASES.map((c) => scanCase(c)),
    ...SSD_CASES.map((c) => ssdCase(c)),
    ...CONV_CASES.map(convCase),
    ...NORM_CASES.map(normCase),
    siluCase(1),
    siluCase(37),
    lossCase(1, 2),
    lossCase(7, 19),
    s6AttentionCase(1, 1, 1, 'mean'),
    s6AttentionCase(9, 5, 3, 'mean'),
    s6AttentionCase(9, 5, 3, 'mean_abs'),
    s6AttentionCase(9, 5, 16, { channel: 4 }),
    ssdAttentionCase(1, 1, 1, 1, 'mean'),
    ssdAttentionCase(9, 4, 2, 3, 'mean'),
    ssdAttentionCase(9, 4, 2, 3, 'mean_abs'),
    ssdAttentionCase(9, 4, 2, 3, { head: 3 }),
    ...smallBlockCases(),
  ];
}

/** Runs a case on the current device: its value, and its gradients by tfjs autograd where it has them. */
export function runCase(c: OpCase): { value: Float32Array; gradients: Record<string, Float32Array> } {
  return tf.tidy(() => {
    const names = Object.keys(c.inputs);
    const tensors = names.map((name) => tf.tensor(Float32Array.from(c.inputs[name].values), c.inputs[name].shape));
    const bind = (list: tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, list[i]]));
    const value = c.run(bind(tensors));
    const gradients: Record<string, Float32Array> = {};
    if (c.dy) {
      const dy = tf.tensor(Float32Array.from(c.dy), value.shape);
      const grads = tf.grads((...list: tf.Tensor[]) => c.run(bind(list)))(tensors, dy);
      names.forEach((name, i) => {
        gradients[name] = grads[i].dataSync() as Float32Array;
      });
    }
    return { value: value.dataSync() as Float32Array, gradients };
  });
}

/** Both results of a scan as one, so that the gradient of either is checked. */
const joined = ({ y, state }: { y: tf.Tensor; state: tf.Tensor }) => tf.concat([y.flatten(), state.flatten()]);

function randomDy(size: number): Float64Array {
  return new Random(7).normal(size).map(Math.fround);
}

function present(arrays: Record<string, [reference.Real | undefined, number[]]>): OpCase['inputs'] {
  return Object.fromEntries(
    Object.entries(arrays)
      .filter(([, [values]]) => values !== undefined)
      .map(([name, [values, shape]]) => [name, { shape, values: Float64Array.from(values as reference.Real) }]),
  );
}
