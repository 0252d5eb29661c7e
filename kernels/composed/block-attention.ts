import * as tf from '@tensorflow/tfjs';
import { causalConv1d, type KernelName, selectiveScan, ssdScan } from '../ops';

/** The inputs of a kernel that are present, by name. */
type Operands = Readonly<Record<string, tf.Tensor>>;

/** A kernel written in tfjs operations and in ours, whichever device they run on. */
export type ComposedKernel = (operands: Operands, attributes: Readonly<Record<string, unknown>>) => tf.Tensor[];

/** Elements of the largest tensor of a strip of sources. */
const BUDGET = 1 << 24;

type Scan = (operands: Operands, x: tf.Tensor3D) => tf.Tensor3D;

const s6: Scan = ({ delta, A, B, C, D }, x) => {
  const rows = (each: tf.Tensor) => repeated(each, x.shape[0]) as tf.Tensor3D;
  return selectiveScan({
    x,
    delta: rows(delta),
    A: A as tf.Tensor2D,
    B: rows(B),
    C: rows(C),
    D: D as tf.Tensor1D | undefined,
  });
};

const ssd: Scan = ({ delta, A, B, C, D }, x) => {
  const [batch, L, E] = x.shape;
  const H = delta.shape[1] as number;
  const rows = (each: tf.Tensor) => repeated(each, batch) as tf.Tensor4D;
  const y = ssdScan({
    x: x.reshape([batch, L, H, E / H]),
    delta: repeated(delta, batch) as tf.Tensor3D,
    A: A as tf.Tensor1D,
    B: rows(B),
    C: rows(C),
    D: D as tf.Tensor1D | undefined,
  });
  return y.reshape([batch, L, E]);
};

const repeated = (x: tf.Tensor, batch: number) => tf.tile(x.expandDims(0), [batch, ...x.shape.map(() => 1)]);

/**
 * Columns of the folded maps: what impulses at `count` sources become by convolution, scan and gate [count,L,E]. The scan
 * is the device's own, so that it is as stable and as fast; a map costs L scans.
 */
function responses(scan: Scan, operands: Operands, first: number, count: number): tf.Tensor {
  const { source, taps, target, weight } = operands;
  const [L, E] = source.shape as [number, number];
  const [, K] = taps.shape as [number, number];
  const at = tf.range(first, first + count).expandDims(1);
  const impulses = tf.equal(at, tf.range(0, L).expandDims(0)).cast('float32').expandDims(2);
  const signals = weight ? impulses.mul(weight) : tf.tile(impulses, [1, 1, E]);
  const convolved = causalConv1d(signals as tf.Tensor3D, taps.reshape([E, 1, K]), null);
  return scan(operands, convolved.mul(source)).mul(target);
}

/** Strips of sources [first, count] that fit the budget. */
function strips({ source }: Operands, states: number): [number, number][] {
  const [L, E] = source.shape as [number, number];
  const width = Math.max(1, Math.min(L, Math.floor(BUDGET / (L * E * states))));
  return Array.from({ length: Math.ceil(L / width) }, (_, k) => [k * width, Math.min(width, L - k * width)]);
}

const attention =
  (scan: Scan): ComposedKernel =>
  (operands, { reduce }) => {
    const columns = strips(operands, 1).map(([first, count]) =>
      tf.tidy(() => {
        const maps = responses(scan, operands, first, count);
        if (reduce === 'sum') return maps.sum(2);
        return reduce === 'sum_abs' ? maps.abs().sum(2) : maps.abs().max(2);
      }),
    );
    return [tf.transpose(tf.concat(columns, 0))];
  };

const blockColumns =
  (scan: Scan): ComposedKernel =>
  (operands, { first, count }) => {
    const rows = responses(scan, operands, first as number, count as number).slice([0, first as number]);
    return [tf.transpose(rows, [2, 1, 0])];
  };

/** Sums over sources of each row's magnitudes [L,E]: themselves, times their logarithm, near, times distance; and others. */
interface RowSums {
  readonly sums: tf.Tensor;
  readonly first: tf.Tensor;
  readonly largest: tf.Tensor;
}

function rowSums(scan: Scan, operands: Operands, strip: readonly [number, number], nearest: number): RowSums {
  const [first, count] = strip;
  const size = responses(scan, operands, first, count).abs();
  const L = size.shape[1] as number;
  const distance = tf
    .range(0, L)
    .expandDims(0)
    .sub(tf.range(first, first + count).expandDims(1))
    .expandDims(2);
  const logs = size.mul(tf.log(tf.maximum(size, 1e-30)));
  const near = size.mul(tf.less(distance, nearest).cast('float32'));
  return {
    sums: tf.stack([size.sum(0), logs.sum(0), near.sum(0), size.mul(distance).sum(0)]),
    first: size.slice([0], [1]).squeeze([0]),
    largest: size.max([0, 1]),
  };
}

const statistics =
  (scan: Scan): ComposedKernel =>
  (operands, { nearest }) => {
    const parts = strips(operands, 2).map((strip) => {
      const { sums, first, largest } = tf.tidy(() => ({ ...rowSums(scan, operands, strip, nearest as number) }));
      return { sums, first, largest };
    });
    const [mass, logs, near, distance] = tf.unstack(tf.addN(parts.map(({ sums }) => sums)));
    const read = tf.greater(mass, 0).cast('float32');
    const safe = mass.add(tf.sub(1, read));
    const rows = tf.maximum(read.sum(0), 1);
    const mean = (values: tf.Tensor) => values.mul(read).sum(0).div(rows);
    const entropy = tf.log(safe).sub(logs.div(safe));
    const largest = tf.stack(parts.map((part) => part.largest)).max(0);
    const shares = [parts[0].first, near, distance].map((values) => mean(values.div(safe)));
    return [tf.stack([mean(entropy), ...shares, largest], 1)];
  };

/** For devices without kernels of their own for the folded maps. */
export const composedBlockKernels = {
  S6BlockAttention: attention(s6),
  S6BlockColumns: blockColumns(s6),
  S6BlockStatistics: statistics(s6),
  SsdBlockAttention: attention(ssd),
  SsdBlockColumns: blockColumns(ssd),
  SsdBlockStatistics: statistics(ssd),
} satisfies Partial<Record<KernelName, ComposedKernel>>;
