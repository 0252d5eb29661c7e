import * as tf from '@tensorflow/tfjs';
import { bfloat16Bits } from '../../ops/bfloat16-bits';
import type { HalfFormat } from '../../ops/halves';
import type { Backend } from '../program';
import { widenRows } from '../programs/widen';
import type { Call } from './kernel';

/** Bits that are of a 16-bit format already, and the rounding of `kernels/ops`; kept in two bytes a value. */
export const halves = {
  KeepHalves: ({ backend, attrs }) => {
    const { bits, shape, format } = attrs as unknown as { bits: Uint16Array; shape: number[]; format: HalfFormat };
    return backend.keepHalves(bits, shape, format);
  },

  RoundToBfloat16: ({ backend, inputs: { x } }) => {
    const values = backend.readSync(x.dataId) as Float32Array;
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const bits = new Uint16Array(words.length);
    for (let i = 0; i < words.length; i++) bits[i] = bfloat16Bits(words[i]);
    return backend.keepHalves(bits, x.shape, 'bfloat16');
  },
} satisfies Record<string, (call: Call) => tf.TensorInfo>;

/** Rows of a matrix of 16 bits without widening all of it; everything else stays with tfjs. For tfjs's registry. */
export function registerRows(): void {
  const theirs = tf.getKernel('GatherV2', 'webgpu');
  if (!theirs) throw new Error('tfjs gathers no rows on webgpu.');
  tf.unregisterKernel('GatherV2', 'webgpu');
  tf.registerKernel({
    ...theirs,
    kernelFunc: (call) => {
      const backend = call.backend as Backend;
      const { x, indices } = call.inputs as unknown as Readonly<Record<'x' | 'indices', tf.TensorInfo>>;
      const { axis, batchDims } = call.attrs as unknown as { axis: number; batchDims: number };
      const ours = backend.halfFormat(x) && x.shape.length === 2 && axis === 0 && batchDims === 0;
      return ours ? widenRows(backend, x, indices) : theirs.kernelFunc(call);
    },
  });
}
