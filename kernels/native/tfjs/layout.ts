import * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { allFloat, type Override, type Overrides, sizeOf } from '../override';

const MAX_RANK = 12;

interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Strides of a contiguous tensor. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = Array<number>(shape.length);
  for (let i = shape.length - 1, stride = 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** Copies a block of `dims` from one layout to another, merging neighbouring axes that are contiguous in both. */
function copyBlock(from: Float32Array, x: Layout, to: Float32Array, y: Layout, dims: readonly number[]): void {
  const sizes: number[] = [];
  const stridesX: number[] = [];
  const stridesY: number[] = [];
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] === 0) return;
    if (dims[i] === 1) continue;
    const merges =
      sizes.length > 0 && x.strides[i] === stridesX[0] * sizes[0] && y.strides[i] === stridesY[0] * sizes[0];
    if (merges) sizes[0] *= dims[i];
    else {
      sizes.unshift(dims[i]);
      stridesX.unshift(x.strides[i]);
      stridesY.unshift(y.strides[i]);
    }
  }
  if (sizes.length === 0) {
    to[y.offset] = from[x.offset];
    return;
  }
  kernels.copyStrided(from, to, x.offset, y.offset, sizes.length, ...sizes, ...stridesX, ...stridesY);
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** The block of x at `begin`, of `size`, as a tensor of `shape`. */
function sliceTo(backend: NativeBackend, x: tf.TensorInfo, begin: number[], size: number[], shape: number[]) {
  const y = backend.allocate(sizeOf(size));
  const strides = stridesOf(x.shape);
  copyBlock(
    backend.floats(x),
    { offset: dot(begin, strides), strides },
    y,
    { offset: 0, strides: stridesOf(size) },
    size,
  );
  return backend.output(shape, y);
}

const fits = (x: tf.TensorInfo) => allFloat(x) && x.shape.length <= MAX_RANK;

const slice: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!fits(x)) return null;
  const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, attrs.begin, attrs.size);
  tf.slice_util.assertParamsValid(x as tf.Tensor, begin, size);
  if (sizeOf(size) === sizeOf(x.shape)) return backend.view(x, size);
  return sliceTo(backend, x, begin, size, size);
};

const stridedSlice: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!fits(x)) return null;
  const info = tf.slice_util.sliceInfo(
    x.shape,
    attrs.begin,
    attrs.end,
    attrs.strides,
    attrs.beginMask,
    attrs.endMask,
    attrs.ellipsisMask,
    attrs.newAxisMask,
    attrs.shrinkAxisMask,
  );
  if (info.isIdentity) return backend.view(x, info.finalShape);
  const dims = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  const strides = stridesOf(x.shape);
  const from = { offset: dot(info.begin, strides), strides: strides.map((stride, i) => stride * info.strides[i]) };
  const y = backend.allocate(sizeOf(dims));
  copyBlock(backend.floats(x), from, y, { offset: 0, strides: stridesOf(dims) }, dims);
  return backend.output(info.finalShape, y);
};

const splitV: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!fits(x)) return null;
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis);
  let start = 0;
  return sizes.map((length) => {
    const size = x.shape.map((n, i) => (i === axis ? length : n));
    const begin = x.shape.map((_, i) => (i === axis ? start : 0));
    start += length;
    return sliceTo(backend, x, begin, size, size);
  });
};

const unpack: Override = ({ backend, inputs: { value }, attrs }) => {
  if (!fits(value)) return null;
  const [axis] = tf.util.parseAxisParam(attrs.axis, value.shape);
  const shape = value.shape.filter((_, i) => i !== axis);
  const size = value.shape.map((n, i) => (i === axis ? 1 : n));
  return Array.from({ length: value.shape[axis] }, (_, index) =>
    sliceTo(
      backend,
      value,
      value.shape.map((_, i) => (i === axis ? index : 0)),
      size,
      shape,
    ),
  );
};

/** Joins tensors, read as [outer, any, inner], along the middle axis. */
function join(backend: NativeBackend, parts: tf.TensorInfo[], outer: number, inner: number, shape: number[]) {
  const y = backend.allocate(sizeOf(shape));
  const row = outer === 0 ? 0 : y.length / outer;
  let offset = 0;
  for (const part of parts) {
    const width = outer === 0 ? 0 : sizeOf(part.shape) / outer;
    const from = { offset: 0, strides: [width, 1] };
    copyBlock(backend.floats(part), from, y, { offset, strides: [row, 1] }, [outer, width]);
    offset += inner === 0 ? 0 : width;
  }
  return backend.output(shape, y);
}

const concat: Override = ({ backend, inputs, attrs }) => {
  const parts = inputs as unknown as tf.TensorInfo[];
  if (!allFloat(...parts)) return null;
  const shapes = parts.map((part) => part.shape);
  const [axis] = tf.util.parseAxisParam(attrs.axis, shapes[0]);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  const shape = tf.backend_util.computeOutShape(shapes, axis);
  return join(backend, parts, sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1)), shape);
};

const pack: Override = ({ backend, inputs, attrs }) => {
  const parts = inputs as unknown as tf.TensorInfo[];
  if (!allFloat(...parts)) return null;
  const [{ shape: first }] = parts;
  for (const { shape } of parts)
    tf.util.assertShapesMatch(first, shape, 'Tensors passed to stack must match in shape:');
  const axis = attrs.axis < 0 ? attrs.axis + first.length + 1 : attrs.axis;
  const shape = [...first.slice(0, axis), parts.length, ...first.slice(axis)];
  return join(backend, parts, sizeOf(first.slice(0, axis)), sizeOf(first.slice(axis)), shape);
};

const pad: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!fits(x)) return null;
  const paddings = attrs.paddings as [number, number][];
  const shape = x.shape.map((n, i) => paddings[i][0] + n + paddings[i][1]);
  const y = backend.allocate(sizeOf(shape));
  kernels.fill(y, attrs.constantValue);
  const strides = stridesOf(shape);
  const offset = dot(
    paddings.map(([before]) => before),
    strides,
  );
  copyBlock(backend.floats(x), { offset: 0, strides: stridesOf(x.shape) }, y, { offset, strides }, x.shape);
  return backend.output(shape, y);
};

const tile: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!allFloat(x) || 2 * x.shape.length > MAX_RANK) return null;
  const reps = attrs.reps as number[];
  const shape = x.shape.map((n, i) => n * reps[i]);
  const y = backend.allocate(sizeOf(shape));
  const stridesX = stridesOf(x.shape);
  const stridesY = stridesOf(shape);
  const dims = x.shape.flatMap((n, i) => [reps[i], n]);
  const from = { offset: 0, strides: x.shape.flatMap((_, i) => [0, stridesX[i]]) };
  const to = { offset: 0, strides: x.shape.flatMap((n, i) => [stridesY[i] * n, stridesY[i]]) };
  copyBlock(backend.floats(x), from, y, to, dims);
  return backend.output(shape, y);
};

/** Axes of the output with neighbours merged that stay neighbours in x. */
function mergePermutation(shape: readonly number[], permutation: readonly number[]) {
  const stridesX = stridesOf(shape);
  const dims: number[] = [];
  const strides: number[] = [];
  for (let i = permutation.length - 1; i >= 0; i--) {
    const axis = permutation[i];
    if (shape[axis] === 1) continue;
    if (dims.length > 0 && stridesX[axis] === strides[0] * dims[0]) dims[0] *= shape[axis];
    else {
      dims.unshift(shape[axis]);
      strides.unshift(stridesX[axis]);
    }
  }
  return { dims, strides };
}

const transpose: Override = ({ backend, inputs: { x }, attrs }) => {
  if (!fits(x)) return null;
  const shape = (attrs.perm as number[]).map((axis) => x.shape[axis]);
  const { dims, strides } = mergePermutation(x.shape, attrs.perm);
  if (dims.length < 2) return backend.view(x, shape);
  const y = backend.allocate(sizeOf(shape));
  if (y.length === 0) return backend.output(shape, y);
  if (strides[strides.length - 1] === 1)
    copyBlock(backend.floats(x), { offset: 0, strides }, y, { offset: 0, strides: stridesOf(dims) }, dims);
  else kernels.transpose(backend.floats(x), y, dims.length, ...dims, ...strides);
  return backend.output(shape, y);
};

export const layout: Overrides = {
  Concat: concat,
  Pack: pack,
  PadV2: pad,
  Slice: slice,
  SplitV: splitV,
  StridedSlice: stridedSlice,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
};
