import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { allFloat, type Override, type Overrides, sizeOf } from '../override';

const sameShape = (a: tf.TensorInfo, b: tf.TensorInfo) => a.shape.join() === b.shape.join();

function logical(name: string): Override {
  return ({ backend, inputs: { a, b } }) => {
    if (a.dtype !== 'bool' || b.dtype !== 'bool' || !sameShape(a, b)) return null;
    const y = new Uint8Array(sizeOf(a.shape));
    kernels[name](backend.bytes(a), backend.bytes(b), y);
    return backend.makeTensorInfo(a.shape, 'bool', y);
  };
}

const logicalNot: Override = ({ backend, inputs: { x } }) => {
  if (x.dtype !== 'bool') return null;
  const y = new Uint8Array(sizeOf(x.shape));
  kernels.logicalNot(backend.bytes(x), y);
  return backend.makeTensorInfo(x.shape, 'bool', y);
};

/** A condition of the shape of `t`, or a vector over its rows. */
const select: Override = ({ backend, inputs: { condition, t, e } }) => {
  const perRow = condition.shape.length === 1 && t.shape.length > 1;
  if (condition.dtype !== 'bool' || !allFloat(t, e) || !sameShape(t, e)) return null;
  if (perRow ? condition.shape[0] !== t.shape[0] : !sameShape(condition, t)) return null;
  const y = backend.allocate(sizeOf(t.shape));
  const inner = perRow ? sizeOf(t.shape.slice(1)) : 1;
  kernels.select(backend.bytes(condition), backend.floats(t), backend.floats(e), y, inner);
  return backend.output(t.shape, y);
};

const cast: Override = ({ backend, inputs: { x }, attrs }) => {
  if (attrs.dtype !== 'float32' || (x.dtype !== 'bool' && x.dtype !== 'int32')) return null;
  const y = backend.allocate(sizeOf(x.shape));
  if (x.dtype === 'bool') kernels.bytesToFloats(backend.bytes(x), y);
  else kernels.intsToFloats(backend.ints(x), y);
  return backend.output(x.shape, y);
};

function filled(backend: NativeBackend, shape: number[], value: number): tf.TensorInfo {
  const y = backend.allocate(sizeOf(shape));
  kernels.fill(y, value);
  return backend.output(shape, y);
}

const fill: Override = ({ backend, attrs }) =>
  typeof attrs.value === 'number' && (attrs.dtype ?? 'float32') === 'float32'
    ? filled(backend, attrs.shape, attrs.value)
    : null;

const like =
  (value: number): Override =>
  ({ backend, inputs: { x } }) =>
    allFloat(x) ? filled(backend, x.shape, value) : null;

/** Adds tensors of one shape. */
const addN: Override = ({ backend, inputs }) => {
  const terms = inputs as unknown as tf.TensorInfo[];
  if (!allFloat(...terms) || terms.length < 2 || !terms.every((term) => sameShape(term, terms[0]))) return null;
  const size = sizeOf(terms[0].shape);
  const y = backend.allocate(size);
  kernels.add(backend.floats(terms[0]), backend.floats(terms[1]), y, 1, size, 1, 1);
  for (const term of terms.slice(2)) kernels.add(y, backend.floats(term), y, 1, size, 1, 1);
  return backend.output(terms[0].shape, y);
};

export const logic: Overrides = {
  AddN: addN,
  Cast: cast,
  Fill: fill,
  LogicalAnd: logical('logicalAnd'),
  LogicalNot: logicalNot,
  LogicalOr: logical('logicalOr'),
  OnesLike: like(1),
  Select: select,
  ZerosLike: like(0),
};
