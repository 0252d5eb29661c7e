import * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { allFloat, type Override, type Overrides, sizeOf } from '../override';

interface Run {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** The reduced axes as runs of neighbours, innermost first; every run sees the sizes that earlier runs left. */
function runsOf(shape: readonly number[], reduced: ReadonlySet<number>): Run[] {
  const runs: Run[] = [];
  let inner = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (!reduced.has(i)) {
      inner *= shape[i];
      continue;
    }
    let length = shape[i];
    while (i > 0 && (reduced.has(i - 1) || shape[i - 1] === 1)) length *= shape[--i];
    if (length > 1) runs.push({ outer: sizeOf(shape.slice(0, i)), length, inner });
  }
  return runs;
}

/** Reduces a float32 tensor over `axis` (all axes where null); the buffer belongs to the caller. */
function reduceTo(backend: NativeBackend, name: string, x: tf.TensorInfo, reduced: ReadonlySet<number>): Float32Array {
  const runs = runsOf(x.shape, reduced);
  let current = backend.floats(x);
  if (runs.length === 0) {
    const copy = backend.allocate(current.length);
    copy.set(current);
    return copy;
  }
  runs.forEach(({ outer, length, inner }, index) => {
    const y = backend.allocate(outer * inner);
    kernels[name](current, y, outer, length, inner);
    if (index > 0) backend.recycle(current);
    current = y;
  });
  return current;
}

function reduction(name: string, axisAttribute: string, mean = false): Override {
  return ({ backend, inputs: { x }, attrs }) => {
    const size = sizeOf(x.shape);
    if (!allFloat(x) || size === 0) return null;
    const axes = tf.util.parseAxisParam(attrs[axisAttribute], x.shape);
    const reduced = new Set(axes);
    const kept = x.shape.filter((_, i) => !reduced.has(i));
    const y = reduceTo(backend, name, x, reduced);
    if (mean) {
      const count = size / y.length;
      for (let i = 0; i < y.length; i++) y[i] /= count;
    }
    return backend.output(attrs.keepDims ? x.shape.map((n, i) => (reduced.has(i) ? 1 : n)) : kept, y);
  };
}

const softmax: Override = ({ backend, inputs: { logits }, attrs }) => {
  const rank = logits.shape.length;
  const dim = attrs.dim ?? -1;
  const size = sizeOf(logits.shape);
  if (!allFloat(logits) || size === 0 || (dim !== -1 && dim !== rank - 1)) return null;
  const y = backend.allocate(size);
  const columns = logits.shape[rank - 1];
  kernels.softmax(backend.floats(logits), y, size / columns, columns);
  return backend.output(logits.shape, y);
};

const argMax: Override = ({ backend, inputs: { x }, attrs }) => {
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  const size = sizeOf(x.shape);
  if (!allFloat(x) || size === 0 || axis !== x.shape.length - 1) return null;
  const columns = x.shape[axis];
  const y = new Int32Array(size / columns);
  kernels.argMax(backend.floats(x), y, y.length, columns);
  return backend.makeTensorInfo(x.shape.slice(0, -1), 'int32', y);
};

const cumsum: Override = ({ backend, inputs: { x }, attrs }) => {
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  if (!allFloat(x)) return null;
  const y = backend.allocate(sizeOf(x.shape));
  if (y.length > 0)
    kernels.cumsum(
      backend.floats(x),
      y,
      sizeOf(x.shape.slice(0, axis)),
      x.shape[axis],
      sizeOf(x.shape.slice(axis + 1)),
      attrs.exclusive ? 1 : 0,
      attrs.reverse ? 1 : 0,
    );
  return backend.output(x.shape, y);
};

export const reduce: Overrides = {
  ArgMax: argMax,
  Cumsum: cumsum,
  Max: reduction('max', 'reductionIndices'),
  Mean: reduction('sum', 'axis', true),
  Min: reduction('min', 'axis'),
  Softmax: softmax,
  Sum: reduction('sum', 'axis'),
};
