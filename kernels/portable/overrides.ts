import * as tf from '@tensorflow/tfjs';
import { product } from './product';
import { sliceRuns } from './slice';

/** What these kernels need of tfjs's `cpu` back end. */
interface CpuBackend {
  readSync(dataId: object): tf.TypedArray;
  write(values: tf.TypedArray, shape: number[], dtype: tf.DataType): object;
}

type Given = Parameters<tf.KernelFunc>[0];

const made = (backend: unknown, values: tf.TypedArray, shape: number[], dtype: tf.DataType): tf.TensorInfo => ({
  dataId: (backend as CpuBackend).write(values, shape, dtype),
  shape,
  dtype,
});

const ARRAYS = new Set<tf.DataType>(['float32', 'int32', 'bool']);

function slice({ inputs, attrs, backend }: Given, otherwise: tf.KernelFunc) {
  const x = inputs.x as tf.TensorInfo;
  const { begin, size } = attrs as unknown as { begin: number | number[]; size: number | number[] };
  const [from, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
  // Whole runs of the array are views of it in tfjs already.
  if (!ARRAYS.has(x.dtype) || tf.slice_util.isSliceContinous(x.shape, from, sizes))
    return otherwise({ inputs, attrs, backend });
  tf.slice_util.assertParamsValid(x, from, sizes);
  const values = (backend as CpuBackend).readSync(x.dataId);
  return made(backend, sliceRuns(values, x.shape, from, sizes), sizes, x.dtype);
}

function split({ inputs, attrs, backend }: Given) {
  const x = inputs.x as tf.TensorInfo;
  const { numOrSizeSplits, axis } = attrs as unknown as { numOrSizeSplits: number[] | number; axis: number };
  const [along] = tf.util.parseAxisParam(axis, x.shape);
  const begin = x.shape.map(() => 0);
  return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along).map((extent) => {
    const size = x.shape.with(along, extent);
    const part = tf.getKernel('Slice', 'cpu').kernelFunc({ inputs, attrs: { begin: [...begin], size }, backend });
    begin[along] += extent;
    return part as tf.TensorInfo;
  });
}

function matMul({ inputs, attrs, backend }: Given, otherwise: tf.KernelFunc) {
  const [a, b] = [inputs.a, inputs.b] as tf.TensorInfo[];
  const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
  const [M, K] = transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2);
  const [inner, N] = transposeB ? b.shape.slice(-2).reverse() : b.shape.slice(-2);
  // tfjs says what is wrong with shapes that do not meet.
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || K !== inner) return otherwise({ inputs, attrs, backend });
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [x, y] = [a, b].map(({ dataId }) => (backend as CpuBackend).readSync(dataId) as Float32Array);
  const size = { batch: tf.util.sizeFromShape(outer), M, K, N };
  return made(backend, product(x, y, size, { transposeA, transposeB }), [...outer, M, N], 'float32');
}

const replaced = new Set<string>();

function replace(
  kernelName: string,
  kernel: (given: Given, otherwise: tf.KernelFunc) => tf.TensorInfo | tf.TensorInfo[],
) {
  if (replaced.has(kernelName)) return;
  replaced.add(kernelName);
  const { kernelFunc, ...rest } = tf.getKernel(kernelName, 'cpu');
  tf.unregisterKernel(kernelName, 'cpu');
  tf.registerKernel({ ...rest, kernelFunc: (given) => kernel(given, kernelFunc) });
}

/**
 * Puts kernels of ours in place of those of tfjs's `cpu` back end that took most of a forward pass there: slices and splits, which went through the
 * coordinates of every value, and products of matrices. Products are summed in float64 and rounded once.
 */
export function replaceSlowKernels(): void {
  replace('Slice', slice);
  replace('SplitV', split);
  replace('BatchMatMul', matMul);
}
