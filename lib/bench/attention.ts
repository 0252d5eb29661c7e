import * as tf from '@tensorflow/tfjs';
import { blockAttention, s6Attention, ssdAttention } from '@/kernels/ops';
import { rateOf } from './machine';
import { type Benchmark, measurement, medianMs } from './measure';
import { finish, scoped, tensor, timeSteps } from './operands';

/** Decay rates: −1 … −N in every channel, as models begin their training, or without any order. */
const RATES = {
  'A = -1…-N': (E: number, N: number) =>
    tf.tensor2d(
      Float32Array.from({ length: E * N }, (_, i) => -1 - (i % N)),
      [E, N],
    ),
  'A random': (E: number, N: number) => tensor<tf.Rank.R2>([E, N], -16, -1),
};

/** A scan of a Mamba-130m layer. */
const layerScan = (L: number, rates: keyof typeof RATES, [E, N]: readonly [number, number]) => ({
  delta: timeSteps<tf.Rank.R2>([L, E]),
  A: RATES[rates](E, N),
  B: tensor<tf.Rank.R2>([L, N]),
  C: tensor<tf.Rank.R2>([L, N]),
});

function s6Line(what: string, device: string, L: number, rates: keyof typeof RATES, compute: SumOverChannels) {
  return scoped(() => {
    const [E, N] = [1536, 16];
    const scan = layerScan(L, rates, [E, N]);
    const median = medianMs(() => finish(compute(scan, [L, E])));
    const floor = `a lower triangle of L·L dot products of length E·N at ${rateOf(device).what}`;
    const line = { what, shape: `L=${L} E=${E} N=${N}, ${rates}`, device, floor };
    return measurement(line, median, (((L * L) / 2) * E * N) / rateOf(device).perMs);
  });
}

/** Prepares its operands and returns what is timed. */
type SumOverChannels = (scan: ReturnType<typeof layerScan>, shape: readonly [number, number]) => () => tf.Tensor;

const s6Mean = (device: string, L: number, rates: keyof typeof RATES) =>
  s6Line('S6 attention, channel mean', device, L, rates, (scan) => () => s6Attention(scan, { reduce: 'mean' }));

const s6Logit = (device: string, L: number, rates: keyof typeof RATES) =>
  s6Line('S6 block, contributions to a logit', device, L, rates, (scan, [, E]) => {
    const ofTokens = () => tensor<tf.Rank.R2>([L, E]);
    const taps = tensor<tf.Rank.R2>([E, 4]);
    const fold = { source: ofTokens(), taps, target: ofTokens(), D: tensor<tf.Rank.R1>([E]), weight: ofTokens() };
    return () => blockAttention({ kind: 'S6', scan }, fold, 'sum');
  });

/** What do the channel-mean map of one Mamba-130m layer, at two lengths, and its contributions to a logit cost? */
export const s6AttentionBenchmark: Benchmark = {
  name: 's6 attention',
  run: (device) => [
    s6Mean(device, 512, 'A random'),
    s6Mean(device, 512, 'A = -1…-N'),
    s6Mean(device, 1024, 'A = -1…-N'),
    s6Logit(device, 512, 'A random'),
    s6Logit(device, 512, 'A = -1…-N'),
  ],
};

/** And the head mean of one Mamba2-130m layer? */
export const ssdAttentionBenchmark: Benchmark = {
  name: 'ssd attention',
  run: (device) =>
    scoped(() => {
      const [L, H, N] = [1024, 24, 128];
      const inputs = {
        delta: timeSteps<tf.Rank.R2>([L, H]),
        A: tensor<tf.Rank.R1>([H], -16, -1),
        B: tensor<tf.Rank.R3>([L, 1, N]),
        C: tensor<tf.Rank.R3>([L, 1, N]),
      };
      const median = medianMs(() => finish(() => ssdAttention(inputs, { reduce: 'mean' })));
      const floor = `a lower triangle of L·L·(N + 2H) operations at ${rateOf(device).what}`;
      const line = { what: 'SSD attention, head mean', shape: `L=${L} H=${H} N=${N}`, device, floor };
      return [measurement(line, median, (((L * L) / 2) * (N + 2 * H)) / rateOf(device).perMs)];
    }),
};
