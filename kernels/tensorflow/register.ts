import * as tf from '@tensorflow/tfjs';
import { KERNELS } from '../ops/registry';
import type { Operands } from './kernel';
import { composedKernels } from './kernels';

/** Registers every kernel of ours for the tfjs back end `tensorflow`; the second time it does nothing. */
export function registerTensorflow(): void {
  for (const kernelName of KERNELS) {
    if (tf.getKernel(kernelName, 'tensorflow')) continue;
    const kernel = composedKernels[kernelName];
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) => tf.tidy(() => kernel({ ...inputs } as Operands, attrs ?? {})),
    });
  }
}
