import * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import { allFloat, type Override, type Overrides, sizeOf } from '../override';

interface BroadcastPlan {
  readonly dims: readonly number[];
  readonly stridesA: readonly number[];
  readonly stridesB: readonly number[];
}

const padded = (shape: readonly number[], rank: number) => [...Array(rank - shape.length).fill(1), ...shape];

/**
 * The output's dimensions with neighbours merged wherever both operands allow it, and each operand's stride along
 * them: 0 where it is broadcast.
 */
export function planBroadcast(a: readonly number[], b: readonly number[], out: readonly number[]): BroadcastPlan {
  const left = padded(a, out.length);
  const right = padded(b, out.length);
  const dims: number[] = [];
  const stridesA: number[] = [];
  const stridesB: number[] = [];
  let strideA = 1;
  let strideB = 1;
  for (let i = out.length - 1; i >= 0; i--) {
    if (out[i] === 1) continue;
    const alongA = left[i] === 1 ? 0 : strideA;
    const alongB = right[i] === 1 ? 0 : strideB;
    const continues = (along: number, inner: number) => (along === 0 ? inner === 0 : inner * dims[0] === along);
    if (dims.length > 0 && continues(alongA, stridesA[0]) && continues(alongB, stridesB[0])) dims[0] *= out[i];
    else {
      dims.unshift(out[i]);
      stridesA.unshift(alongA);
      stridesB.unshift(alongB);
    }
    strideA *= left[i];
    strideB *= right[i];
  }
  return dims.length > 0 ? { dims, stridesA, stridesB } : { dims: [1], stridesA: [1], stridesB: [1] };
}

const MAX_RANK = 12;

function planOf(a: tf.TensorInfo, b: tf.TensorInfo): { shape: number[]; args: number[] } | null {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const { dims, stridesA, stridesB } = planBroadcast(a.shape, b.shape, shape);
  if (dims.length > MAX_RANK) return null;
  return { shape, args: [dims.length, ...dims, ...stridesA, ...stridesB] };
}

function binaryKernel(name: string): Override {
  return ({ backend, inputs: { a, b } }) => {
    const plan = allFloat(a, b) ? planOf(a, b) : null;
    if (!plan) return null;
    const y = backend.allocate(sizeOf(plan.shape));
    if (y.length > 0) kernels[name](backend.floats(a), backend.floats(b), y, ...plan.args);
    return backend.output(plan.shape, y);
  };
}

function comparison(name: string): Override {
  return ({ backend, inputs: { a, b } }) => {
    const plan = allFloat(a, b) ? planOf(a, b) : null;
    if (!plan) return null;
    const y = new Uint8Array(sizeOf(plan.shape));
    if (y.length > 0) kernels[name](backend.floats(a), backend.floats(b), y, ...plan.args);
    return backend.makeTensorInfo(plan.shape, 'bool', y);
  };
}

export const binary: Overrides = {
  Add: binaryKernel('add'),
  Sub: binaryKernel('subtract'),
  Multiply: binaryKernel('multiply'),
  RealDiv: binaryKernel('divide'),
  Maximum: binaryKernel('maximum'),
  Minimum: binaryKernel('minimum'),
  SquaredDifference: binaryKernel('squaredDifference'),
  Greater: comparison('greater'),
  GreaterEqual: comparison('greaterEqual'),
  Less: comparison('less'),
  LessEqual: comparison('lessEqual'),
  Equal: comparison('equal'),
  NotEqual: comparison('notEqual'),
};
