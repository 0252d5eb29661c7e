import * as tf from '@tensorflow/tfjs';

/** What moving tensors between back ends needs of them; the cpu back end and the WebAssembly one have it. */
interface ArrayBackend {
  readSync(dataId: object): tf.backend_util.TypedArray;
  write(values: tf.backend_util.TypedArray, shape: number[], dtype: tf.DataType): object;
  disposeData(dataId: object): unknown;
}

/**
 * Lets a back end run the cpu kernels that it has none of its own for (WebAssembly lacks some that gradients need, such as
 * UnsortedSegmentSum). Inputs are copied to the cpu back end and results back: correct, and as slow as two copies.
 */
export function bridgeFromCpu(backendName: 'wasm'): void {
  const own = new Set(tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName));
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu'))
    if (!own.has(kernelName)) tf.registerKernel({ kernelName, backendName, kernelFunc: onCpu(kernelFunc) });
}

function onCpu(kernel: tf.KernelFunc): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const [here, cpu] = [backend as ArrayBackend, tf.findBackend('cpu') as unknown as ArrayBackend];
    const move = (from: ArrayBackend, to: ArrayBackend, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo => ({
      dataId: to.write(from.readSync(dataId), shape, dtype),
      shape,
      dtype,
    });
    const moved = Object.fromEntries(
      Object.entries(inputs)
        .filter(([, info]) => info)
        .map(([name, info]) => [name, move(here, cpu, info as tf.TensorInfo)]),
    );
    const results = kernel({ inputs: moved, attrs, backend: cpu });
    const list = Array.isArray(results) ? results : [results];
    const back = list.map((info) => move(cpu, here, info));
    for (const { dataId } of [...Object.values(moved), ...list]) cpu.disposeData(dataId);
    return Array.isArray(results) ? back : back[0];
  };
}
