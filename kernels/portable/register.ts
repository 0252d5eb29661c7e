import * as tf from '@tensorflow/tfjs';
import { KERNELS, type KernelName } from '../ops/registry';
import { type Output, type PortableKernel, portableKernels, type View } from './kernels';
import { replaceSlowKernels } from './overrides';

/** What the portable kernels need of a tfjs back end; `cpu` and `wasm` both have it. */
interface ArrayBackend {
  readSync(dataId: object): Float32Array | Int32Array;
  write(values: Float32Array, shape: number[], dtype: 'float32'): object;
}

/**
 * Registers every kernel of ours for a tfjs back end that keeps its tensors where JavaScript can read them. Call once per
 * back end, before or after the back end is made; kernels that are already registered are left as they are.
 */
export function registerPortable(backendName: 'cpu' | 'wasm'): void {
  if (backendName === 'cpu') replaceSlowKernels();
  const taken = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const kernelName of KERNELS) {
    if (!taken.has(kernelName)) {
      tf.registerKernel({
        kernelName,
        backendName,
        kernelFunc: kernelFunction(kernelName, portableKernels[kernelName]),
      });
    }
  }
}

function kernelFunction(kernelName: KernelName, kernel: PortableKernel): tf.KernelFunc {
  return ({ inputs, backend, attrs }) => {
    const arrays = backend as ArrayBackend;
    const views: Record<string, View> = {};
    for (const [name, info] of Object.entries(inputs)) {
      if (info) views[name] = { shape: info.shape, values: arrays.readSync(info.dataId) };
    }
    return kernel(views, attrs ?? {}).map((output) => toTensorInfo(arrays, kernelName, output));
  };
}

function toTensorInfo(backend: ArrayBackend, kernelName: KernelName, { shape, values }: Output): tf.TensorInfo {
  const size = tf.util.sizeFromShape([...shape]);
  tf.util.assert(values.length === size, () => `${kernelName}: made ${values.length} values for the shape [${shape}]`);
  const dataId = backend.write(Float32Array.from(values), [...shape], 'float32');
  return { dataId, shape: [...shape], dtype: 'float32' };
}
