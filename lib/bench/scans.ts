import type * as tf from '@tensorflow/tfjs';
import { selectiveScan, ssdScan } from '@/kernels/ops';
import { rateOf } from './machine';
import { type Benchmark, measurement, medianMs } from './measure';
import { finish, scoped, tensor, timeSteps } from './operands';

/** Vector operations of one state update: Δ·A, an exponential of nine, Δ·B·x, the state, and C·S. */
const OPERATIONS = 13;

/** How fast is the scan of Mamba-1 at the shape of Mamba-130m? */
export const selectiveScanBenchmark: Benchmark = {
  name: 'selective scan',
  run: (device) =>
    scoped(() => {
      const [L, E, N] = [512, 1536, 16];
      const inputs = {
        x: tensor<tf.Rank.R3>([1, L, E]),
        delta: tensor<tf.Rank.R3>([1, L, E], -6, -2),
        A: tensor<tf.Rank.R2>([E, N], -16, -1),
        B: tensor<tf.Rank.R3>([1, L, N]),
        C: tensor<tf.Rank.R3>([1, L, N]),
        D: tensor<tf.Rank.R1>([E]),
        z: tensor<tf.Rank.R3>([1, L, E]),
      };
      const median = medianMs(() => finish(() => selectiveScan(inputs, { softplus: true })));
      const floor = `${OPERATIONS} operations a state update at ${rateOf(device).what}`;
      const line = { what: 'selective scan', shape: `L=${L} E=${E} N=${N}, softplus, D and gate`, device, floor };
      return [measurement(line, median, (OPERATIONS * L * E * N) / rateOf(device).perMs)];
    }),
};

const CHUNK = 64;

/** How fast is the scan of Mamba-2 at the shape of Mamba2-130m? */
export const ssdBenchmark: Benchmark = {
  name: 'ssd',
  run: (device) =>
    scoped(() => {
      const [L, H, P, N] = [512, 24, 64, 128];
      const inputs = {
        x: tensor<tf.Rank.R4>([1, L, H, P]),
        delta: timeSteps<tf.Rank.R3>([1, L, H]),
        A: tensor<tf.Rank.R1>([H], -16, -1),
        B: tensor<tf.Rank.R4>([1, L, 1, N]),
        C: tensor<tf.Rank.R4>([1, L, 1, N]),
        D: tensor<tf.Rank.R1>([H]),
      };
      const median = medianMs(() => finish(() => ssdScan(inputs)));
      const products = L * CHUNK * N + L * CHUNK * H * P + 2 * L * H * P * N;
      const floor = `the products of the algorithm in chunks of ${CHUNK} at ${rateOf(device).what}`;
      const line = { what: 'SSD scan', shape: `L=${L} H=${H} P=${P} N=${N}`, device, floor };
      return [measurement(line, median, products / rateOf(device).perMs)];
    }),
};
