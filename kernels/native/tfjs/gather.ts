import * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import { allFloat, type Override, type Overrides, sizeOf } from '../override';

const gather: Override = ({ backend, inputs: { x, indices }, attrs }) => {
  if (!allFloat(x) || indices.dtype !== 'int32' || (attrs.batchDims ?? 0) !== 0) return null;
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  const wanted = backend.ints(indices);
  const rows = x.shape[axis];
  for (const index of wanted)
    if (index < 0 || index >= rows) throw new Error(`gather: the index ${index} is not in [0, ${rows - 1}].`);
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const shape = [...before, ...indices.shape, ...after];
  const y = backend.allocate(sizeOf(shape));
  const halves = axis === 0 ? backend.halves(x) : undefined;
  if (y.length > 0 && halves)
    kernels.gatherHalves(halves, wanted, y, wanted.length, sizeOf(after), backend.halfForm(x));
  else if (y.length > 0)
    kernels.gather(backend.floats(x), wanted, y, sizeOf(before), rows, wanted.length, sizeOf(after));
  return backend.output(shape, y);
};

const unsortedSegmentSum: Override = ({ backend, inputs: { x, segmentIds }, attrs }) => {
  if (!allFloat(x) || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1) return null;
  const shape = [attrs.numSegments as number, ...x.shape.slice(1)];
  const y = backend.allocate(sizeOf(shape));
  kernels.segmentSum(backend.floats(x), backend.ints(segmentIds), y, x.shape[0], sizeOf(x.shape.slice(1)), shape[0]);
  return backend.output(shape, y);
};

export const gatherGroup: Overrides = { GatherV2: gather, UnsortedSegmentSum: unsortedSegmentSum };
