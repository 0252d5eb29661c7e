import { kernels } from '../addon';
import { allFloat, type Override, type Overrides } from '../override';

/** An elementwise function of one float32 tensor of any shape. */
function unaryKernel(name: string): Override {
  return ({ backend, inputs: { x } }) => {
    if (!allFloat(x)) return null;
    const values = backend.floats(x);
    const y = backend.allocate(values.length);
    kernels[name](values, y);
    return backend.output(x.shape, y);
  };
}

export const unary: Overrides = {
  Abs: unaryKernel('abs'),
  Exp: unaryKernel('exp'),
  Log: unaryKernel('log'),
  Neg: unaryKernel('neg'),
  Reciprocal: unaryKernel('reciprocal'),
  Relu: unaryKernel('relu'),
  Rsqrt: unaryKernel('rsqrt'),
  Sigmoid: unaryKernel('sigmoid'),
  Softplus: unaryKernel('softplus'),
  Sqrt: unaryKernel('sqrt'),
  Square: unaryKernel('square'),
  Tanh: unaryKernel('tanh'),
};
