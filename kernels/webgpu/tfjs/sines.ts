import * as tf from '@tensorflow/tfjs';
import type { Backend } from '../program';
import { sine } from '../programs/sine';

/** Sines and cosines of angles of rotary positions, exact to float32. For tfjs's registry. */
export function registerSines(): void {
  for (const [name, ahead] of [
    ['Sin', 0],
    ['Cos', 1],
  ] as const) {
    tf.unregisterKernel(name, 'webgpu');
    tf.registerKernel({
      kernelName: name,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, backend }) => sine(backend as Backend, inputs.x as tf.TensorInfo, ahead),
    });
  }
}
