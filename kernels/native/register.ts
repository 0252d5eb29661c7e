import * as tf from '@tensorflow/tfjs';
import { isAvailable, unavailableReason } from './addon';
import { NativeBackend } from './backend';
import type { Override, Overrides } from './override';
import { adamw } from './tfjs/adamw';
import { attention } from './tfjs/attention';
import { binary } from './tfjs/binary';
import { blockAttention } from './tfjs/block-attention';
import { columnNorms } from './tfjs/column-norms';
import { conv } from './tfjs/conv';
import { gatherGroup } from './tfjs/gather';
import { halves } from './tfjs/halves';
import { layout } from './tfjs/layout';
import { lens } from './tfjs/lens';
import { logic } from './tfjs/logic';
import { loss } from './tfjs/loss';
import { matmul } from './tfjs/matmul';
import { mixerSteps } from './tfjs/mixer-steps';
import { norm } from './tfjs/norm';
import { partSizes } from './tfjs/part-sizes';
import { reduce } from './tfjs/reduce';
import { scans } from './tfjs/scan';
import { sourceRow } from './tfjs/source-row';
import { ssdBlock } from './tfjs/ssd-block';
import { ssdMixer } from './tfjs/ssd-mixer';
import { unary } from './tfjs/unary';

export { configureNative, type NativeSettings, nativeInfo } from './addon';

/** Every file of `tfjs/` adds its overrides here. */
const groups: readonly Overrides[] = [
  unary,
  binary,
  matmul,
  reduce,
  layout,
  gatherGroup,
  logic,
  conv,
  loss,
  norm,
  scans,
  attention,
  lens,
  halves,
  blockAttention,
  columnNorms,
  sourceRow,
  partSizes,
  mixerSteps,
  ssdMixer,
  ssdBlock,
  adamw,
];

/** Above 'cpu' (1) and 'wasm' (2), so that tfjs itself would choose it too. */
const PRIORITY = 4;

let registered = false;

/** Why `registerNative` returns false; empty where it returns true. */
export const nativeUnavailableReason: string = unavailableReason;

function registerOverride(name: string, override: Override): void {
  if (tf.getKernel(name, 'native')) tf.unregisterKernel(name, 'native');
  tf.registerKernel({
    kernelName: name,
    backendName: 'native',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const result = override({
        backend: backend as NativeBackend,
        inputs: inputs as Record<string, tf.TensorInfo>,
        attrs: attrs ?? {},
      });
      if (result) return result;
      const fallback = tf.getKernel(name, 'cpu');
      if (!fallback) throw new Error(`The native kernel ${name} does not support these inputs.`);
      return fallback.kernelFunc({ inputs, attrs, backend });
    },
  });
}

/**
 * Registers the tfjs backend 'native': the kernels registered for 'cpu' at this moment, with the hot ones replaced by
 * C++. Does nothing the second time.
 * @returns false where the add-on is missing; `nativeUnavailableReason` says why.
 */
export function registerNative(): boolean {
  if (!isAvailable) return false;
  if (registered) return true;
  registered = true;
  tf.copyRegisteredKernels('cpu', 'native');
  for (const group of groups) for (const [name, override] of Object.entries(group)) registerOverride(name, override);
  tf.registerBackend('native', () => new NativeBackend(), PRIORITY);
  return true;
}
