import * as tf from '@tensorflow/tfjs';
import { type ComposedKernel, composedBlockKernels } from '../composed/block-attention';
import type { KernelName } from '../ops/registry';
import { createBackend } from './backend';
import { type AdapterDescription, LOST, openGpu } from './dawn';
import type { Backend } from './program';
import { attention } from './tfjs/attention';
import { conv } from './tfjs/conv';
import { halves, registerRows } from './tfjs/halves';
import type { Call, Kernel } from './tfjs/kernel';
import { loss } from './tfjs/loss';
import { mixerSteps } from './tfjs/mixer-steps';
import { mixers } from './tfjs/mixers';
import { norm } from './tfjs/norm';
import { registerProducts } from './tfjs/products';
import { scan } from './tfjs/scan';
import { scanSsd } from './tfjs/scan-ssd';
import { registerSines } from './tfjs/sines';

export { type AdapterDescription, mayHaveGpu } from './dawn';

/** Every kernel of ours: a missing one is an error of types. */
const kernels: Readonly<Record<Exclude<KernelName, keyof typeof composedBlockKernels>, Kernel>> = {
  ...conv,
  ...norm,
  ...loss,
  ...scan,
  ...scanSsd,
  ...attention,
};

const functionOf =
  (kernel: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): tf.KernelFunc =>
  ({ inputs, attrs, backend }) =>
    (backend as Backend).wholly(() =>
      kernel({
        backend: backend as Backend,
        inputs: inputs as Record<string, tf.TensorInfo>,
        attrs: attrs ?? {},
      }),
    );

/** Above the processor's back ends (native has 4), so that tfjs itself would choose it too. */
const PRIORITY = 5;

let adapter: AdapterDescription | undefined;
let lost: Promise<unknown> | undefined;

/**
 * Rejects once the GPU is gone for good, as the read that found out says it; waits forever where it stays. The kernels keep
 * the device that they were registered with, so only another thread or process can open the GPU anew.
 */
export async function untilGpuIsLost(): Promise<never> {
  await (lost ?? new Promise(() => undefined));
  throw new Error(LOST);
}

/**
 * Registers the tfjs back end `webgpu` on Dawn with our kernels, on the fastest adapter there is. Does nothing the second
 * time.
 * @returns what the adapter says of itself, or null where there is none.
 * @throws Error where there is one that cannot run our programs, or that Dawn cannot open.
 */
export async function registerWebgpu(): Promise<AdapterDescription | null> {
  if (adapter) return adapter;
  const gpu = await openGpu();
  if (!gpu) return null;
  const webgpu = await createBackend(gpu);
  for (const [kernelName, kernel] of Object.entries(kernels))
    tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc: functionOf(kernel) });
  for (const [kernelName, kernel] of Object.entries<ComposedKernel>(composedBlockKernels))
    tf.registerKernel({
      kernelName,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, attrs }) => tf.tidy(() => kernel({ ...inputs } as Record<string, tf.Tensor>, attrs ?? {})),
    });
  for (const [kernelName, kernel] of Object.entries({ ...mixers, ...mixerSteps, ...halves }))
    tf.registerKernel({ kernelName, backendName: 'webgpu', kernelFunc: functionOf(kernel) });
  registerProducts();
  registerRows();
  registerSines();
  tf.registerBackend('webgpu', () => webgpu, PRIORITY);
  adapter = gpu.description;
  lost = gpu.device.lost;
  return adapter;
}
