import * as tf from '@tensorflow/tfjs';

/** Names under which the devices register our kernels. */
export const KERNELS = [
  'SelectiveScan',
  'SelectiveScanGrad',
  'SsdScan',
  'SsdScanGrad',
  'CausalConv1d',
  'CausalConv1dGrad',
  'RmsNorm',
  'RmsNormGrad',
  'Silu',
  'SiluGrad',
  'CrossEntropy',
  'CrossEntropyGrad',
  'S6Attention',
  'SsdAttention',
  'S6BlockAttention',
  'S6BlockColumns',
  'S6BlockStatistics',
  'SsdBlockAttention',
  'SsdBlockColumns',
  'SsdBlockStatistics',
] as const;

export type KernelName = (typeof KERNELS)[number];

type Inputs = Readonly<Record<string, tf.Tensor | undefined>>;
type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * Runs a kernel of the current device and records it for gradients. Optional inputs that are undefined are left out.
 * The attribute `names` tells the gradient which inputs there were, in order.
 */
export function runKernel(kernel: KernelName, inputs: Inputs, attributes: Attributes = {}): tf.Tensor[] {
  const present = Object.entries(inputs).filter((entry): entry is [string, tf.Tensor] => entry[1] !== undefined);
  // `saveAllInputs` below is the only way to save a varying set of inputs, and tfjs insists on an array there.
  const named = Object.assign([], Object.fromEntries(present)) as unknown as tf.NamedTensorMap;
  const result: unknown = tf.engine().runKernel(kernel, named, {
    ...attributes,
    names: present.map(([name]) => name),
  });
  return Array.isArray(result) ? result : [result as tf.Tensor];
}

/**
 * Registers the gradient of `kernel` as the kernel `gradient`, which receives the same inputs and attributes and the
 * gradients of the outputs under the names `dys` (and the outputs named in `saveOutputs`, in the order of the kernel's
 * outputs), and returns one tensor for each present input that is not in `constants`.
 */
export function defineGradient(
  kernel: KernelName,
  gradient: KernelName,
  options: {
    readonly constants?: readonly string[];
    readonly saveOutputs?: readonly (string | null)[];
    readonly dys?: readonly string[];
  } = {},
): void {
  const { constants = [], saveOutputs = [], dys = ['dy'] } = options;
  const savedNames = saveOutputs.filter((name) => name !== null);
  tf.registerGradient({
    kernelName: kernel,
    saveAllInputs: true,
    outputsToSave: saveOutputs.map((name) => name !== null),
    gradFunc: (dy, saved, attributes) => {
      const { names, ...rest } = attributes as Attributes & { names: string[] };
      const inputs = Object.fromEntries([...names, ...savedNames].map((name, i) => [name, saved[i]]));
      const ofOutputs = Object.fromEntries([dy].flat().flatMap((each, i) => (dys[i] ? [[dys[i], each]] : [])));
      const outputs = runKernel(gradient, { ...inputs, ...ofOutputs }, rest);
      return Object.fromEntries(
        names.filter((name) => !constants.includes(name)).map((name, i) => [name, () => outputs[i]]),
      );
    },
  });
}
