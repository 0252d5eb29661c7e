import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import { allFloat, type KernelInputs, type Override, type Overrides, sizeOf } from '../override';

function apply({ backend }: KernelInputs, name: string, x: tf.TensorInfo, ...numbers: number[]): tf.TensorInfo {
  const y = backend.allocate(sizeOf(x.shape));
  kernels[name](backend.floats(x), y, ...numbers);
  return backend.output(x.shape, y);
}

/** An elementwise function of one float32 tensor of any shape. */
const unaryKernel =
  (name: string): Override =>
  (call) =>
    allFloat(call.inputs.x) ? apply(call, name, call.inputs.x) : null;

/** Powers that have an instruction of their own; any other exponent is left to Math.pow. */
const POWERS: Readonly<Record<number, string>> = {
  2: 'square',
  3: 'cube',
  0.5: 'sqrt',
  [-0.5]: 'rsqrt',
  [-1]: 'reciprocal',
};

const pow: Override = (call) => {
  const { backend, inputs } = call;
  const { a, b } = inputs;
  if (!allFloat(a, b) || sizeOf(b.shape) !== 1 || b.shape.length > a.shape.length) return null;
  const name = POWERS[backend.floats(b)[0]];
  return name ? apply(call, name, a) : null;
};

const step: Override = (call) =>
  allFloat(call.inputs.x) ? apply(call, 'step', call.inputs.x, call.attrs.alpha ?? 0) : null;

const clip: Override = (call) =>
  allFloat(call.inputs.x) ? apply(call, 'clip', call.inputs.x, call.attrs.clipValueMin, call.attrs.clipValueMax) : null;

export const unary: Overrides = {
  Abs: unaryKernel('abs'),
  ClipByValue: clip,
  Exp: unaryKernel('exp'),
  Log: unaryKernel('log'),
  Neg: unaryKernel('neg'),
  Pow: pow,
  Reciprocal: unaryKernel('reciprocal'),
  Relu: unaryKernel('relu'),
  Rsqrt: unaryKernel('rsqrt'),
  Sigmoid: unaryKernel('sigmoid'),
  Sign: unaryKernel('sign'),
  Softplus: unaryKernel('softplus'),
  Sqrt: unaryKernel('sqrt'),
  Square: unaryKernel('square'),
  Step: step,
  Tanh: unaryKernel('tanh'),
};
