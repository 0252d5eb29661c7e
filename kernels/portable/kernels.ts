import type { KernelName } from '../ops/registry';
import * as reference from '../reference';

/** A tensor as a portable kernel sees it. */
export interface View {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** What a portable kernel returns; the register rounds it to float32. */
export interface Output {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export type Attributes = Readonly<Record<string, unknown>>;

/** Maps named inputs and attributes to outputs, in the order of the kernel's contract. */
export type PortableKernel = (inputs: Readonly<Record<string, View>>, attributes: Attributes) => Output[];

type Inputs = Readonly<Record<string, View>>;

function floats(view: View): Float32Array {
  return view.values as Float32Array;
}

function optionalFloats(view: View | undefined): Float32Array | undefined {
  return view && floats(view);
}

function scanInput(inputs: Inputs, attributes: Attributes): reference.SelectiveScanInput {
  const [batch, L, E] = inputs.x.shape;
  return {
    batch,
    L,
    E,
    N: inputs.A.shape[1],
    x: floats(inputs.x),
    delta: floats(inputs.delta),
    A: floats(inputs.A),
    B: floats(inputs.B),
    C: floats(inputs.C),
    D: optionalFloats(inputs.D),
    z: optionalFloats(inputs.z),
    state: optionalFloats(inputs.state),
    softplus: attributes.softplus as boolean,
  };
}

function ssdInput(inputs: Inputs): reference.SsdScanInput {
  const [batch, L, H, P] = inputs.x.shape;
  const [, , G, N] = inputs.B.shape;
  return {
    batch,
    L,
    H,
    P,
    G,
    N,
    x: floats(inputs.x),
    delta: floats(inputs.delta),
    A: floats(inputs.A),
    B: floats(inputs.B),
    C: floats(inputs.C),
    D: optionalFloats(inputs.D),
    state: optionalFloats(inputs.state),
  };
}

function convInput(inputs: Inputs, attributes: Attributes): reference.CausalConv1dInput {
  const [batch, L, E] = inputs.x.shape;
  return {
    batch,
    L,
    E,
    K: inputs.weight.shape[2],
    x: floats(inputs.x),
    weight: floats(inputs.weight),
    bias: optionalFloats(inputs.bias),
    silu: attributes.silu as boolean,
  };
}

function normInput(inputs: Inputs, attributes: Attributes): reference.RmsNormInput {
  const E = inputs.weight.shape[0];
  return {
    rows: inputs.x.values.length / E,
    E,
    groups: attributes.groups as number,
    epsilon: attributes.epsilon as number,
    x: floats(inputs.x),
    weight: floats(inputs.weight),
    gate: optionalFloats(inputs.gate),
  };
}

function lossInput(inputs: Inputs): reference.CrossEntropyInput {
  const [rows, V] = inputs.logits.shape;
  return { rows, V, logits: floats(inputs.logits), labels: inputs.labels.values as Int32Array };
}

/** One output shaped like each present input, in the order of `names`. */
function gradientsOf<T extends object>(inputs: Inputs, gradients: T, names: readonly (keyof T & string)[]): Output[] {
  return names
    .filter((name) => gradients[name] !== undefined)
    .map((name) => ({ shape: inputs[name].shape, values: gradients[name] as Float64Array }));
}

/** y, and the last state where it is asked for. */
function scanOutputs(inputs: Inputs, { finalState }: Attributes, y: Float64Array, state: Output): Output[] {
  const output = { shape: inputs.x.shape, values: y };
  return finalState ? [output, state] : [output];
}

function s6AttentionInput(inputs: Inputs): reference.S6AttentionInput {
  const [L, E] = inputs.delta.shape;
  const N = inputs.A.shape[1];
  const { delta, A, B, C } = inputs;
  return { L, E, N, delta: floats(delta), A: floats(A), B: floats(B), C: floats(C) };
}

function ssdAttentionInput(inputs: Inputs): reference.SsdAttentionInput {
  const [L, H] = inputs.delta.shape;
  const [, G, N] = inputs.B.shape;
  const { delta, A, B, C } = inputs;
  return { L, H, G, N, delta: floats(delta), A: floats(A), B: floats(B), C: floats(C) };
}

function foldInput(inputs: Inputs): reference.BlockFold {
  const [E, K] = inputs.taps.shape;
  return {
    E,
    K,
    source: floats(inputs.source),
    taps: floats(inputs.taps),
    target: floats(inputs.target),
    D: optionalFloats(inputs.D),
    weight: optionalFloats(inputs.weight),
  };
}

type Fold = reference.BlockFold;

/** The map, columns and statistics of a block around a scan of either kind. */
const blockMap =
  <I>(inputOf: (inputs: Inputs) => I, of: (input: I, fold: Fold, reduce: reference.BlockReduction) => Float64Array) =>
  (inputs: Inputs, { reduce }: Attributes): Output[] => {
    const [L] = inputs.delta.shape;
    return [{ shape: [L, L], values: of(inputOf(inputs), foldInput(inputs), reduce as reference.BlockReduction) }];
  };

const blockColumns =
  <I>(inputOf: (inputs: Inputs) => I, of: (input: I, fold: Fold, range: reference.ColumnRange) => Float64Array) =>
  (inputs: Inputs, { first, count }: Attributes): Output[] => {
    const range = { first, count } as reference.ColumnRange;
    const shape = [inputs.taps.shape[0], inputs.delta.shape[0] - range.first, range.count];
    return [{ shape, values: of(inputOf(inputs), foldInput(inputs), range) }];
  };

const blockStatistics =
  <I>(inputOf: (inputs: Inputs) => I, of: (input: I, fold: Fold, nearest: number) => Float64Array) =>
  (inputs: Inputs, { nearest }: Attributes): Output[] => [
    {
      shape: [inputs.taps.shape[0], reference.STATISTICS_PER_CHANNEL],
      values: of(inputOf(inputs), foldInput(inputs), nearest as number),
    },
  ];

/** Every kernel of ours as plain TypeScript, computing in float64 through `kernels/reference`. */
export const portableKernels: Readonly<Record<KernelName, PortableKernel>> = {
  SelectiveScan: (inputs, attributes) => {
    const [batch, , E] = inputs.x.shape;
    const { y, state } = reference.selectiveScanWithState(scanInput(inputs, attributes));
    return scanOutputs(inputs, attributes, y, { shape: [batch, E, inputs.A.shape[1]], values: state });
  },
  SelectiveScanGrad: (inputs, attributes) =>
    gradientsOf(
      inputs,
      reference.selectiveScanGrad(scanInput(inputs, attributes), floats(inputs.dy), optionalFloats(inputs.dState)),
      ['x', 'delta', 'A', 'B', 'C', 'D', 'z', 'state'],
    ),
  SsdScan: (inputs, attributes) => {
    const [batch, , H, P] = inputs.x.shape;
    const { y, state } = reference.ssdScanWithState(ssdInput(inputs));
    return scanOutputs(inputs, attributes, y, { shape: [batch, H, P, inputs.B.shape[3]], values: state });
  },
  SsdScanGrad: (inputs) =>
    gradientsOf(inputs, reference.ssdScanGrad(ssdInput(inputs), floats(inputs.dy), optionalFloats(inputs.dState)), [
      'x',
      'delta',
      'A',
      'B',
      'C',
      'D',
      'state',
    ]),
  CausalConv1d: (inputs, attributes) => [
    { shape: inputs.x.shape, values: reference.causalConv1d(convInput(inputs, attributes)) },
  ],
  CausalConv1dGrad: (inputs, attributes) =>
    gradientsOf(inputs, reference.causalConv1dGrad(convInput(inputs, attributes), floats(inputs.dy)), [
      'x',
      'weight',
      'bias',
    ]),
  RmsNorm: (inputs, attributes) => [
    { shape: inputs.x.shape, values: reference.rmsNorm(normInput(inputs, attributes)) },
  ],
  RmsNormGrad: (inputs, attributes) =>
    gradientsOf(inputs, reference.rmsNormGrad(normInput(inputs, attributes), floats(inputs.dy)), [
      'x',
      'weight',
      'gate',
    ]),
  Silu: (inputs) => [{ shape: inputs.x.shape, values: reference.silu(floats(inputs.x)) }],
  SiluGrad: (inputs) => [{ shape: inputs.x.shape, values: reference.siluGrad(floats(inputs.x), floats(inputs.dy)) }],
  CrossEntropy: (inputs) => {
    const input = lossInput(inputs);
    const { loss, logSumExp } = reference.crossEntropy(input);
    return [
      { shape: [], values: Float64Array.of(loss) },
      { shape: [input.rows], values: logSumExp },
    ];
  },
  CrossEntropyGrad: (inputs) => [
    {
      shape: inputs.logits.shape,
      values: reference.crossEntropyGrad(lossInput(inputs), floats(inputs.logSumExp), inputs.dy.values[0]),
    },
  ],
  S6Attention: (inputs, { reduce, channel }) => {
    const [L] = inputs.delta.shape;
    const input = s6AttentionInput(inputs);
    const reduction = reduce === 'channel' ? { channel: channel as number } : (reduce as 'mean' | 'mean_abs');
    return [{ shape: [L, L], values: reference.s6Attention(input, reduction) }];
  },
  SsdAttention: (inputs, { reduce, head }) => {
    const [L] = inputs.delta.shape;
    const input = ssdAttentionInput(inputs);
    const reduction = reduce === 'head' ? { head: head as number } : (reduce as 'mean' | 'mean_abs');
    return [{ shape: [L, L], values: reference.ssdAttention(input, reduction) }];
  },
  S6BlockAttention: blockMap(s6AttentionInput, reference.s6BlockAttention),
  S6BlockColumns: blockColumns(s6AttentionInput, reference.s6BlockColumns),
  S6BlockStatistics: blockStatistics(s6AttentionInput, reference.s6BlockStatistics),
  SsdBlockAttention: blockMap(ssdAttentionInput, reference.ssdBlockAttention),
  SsdBlockColumns: blockColumns(ssdAttentionInput, reference.ssdBlockColumns),
  SsdBlockStatistics: blockStatistics(ssdAttentionInput, reference.ssdBlockStatistics),
};
