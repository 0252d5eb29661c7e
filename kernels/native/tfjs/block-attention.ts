import { type BlockReduction, STATISTICS_PER_CHANNEL } from '../../ops/block-attention';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { type KernelInputs, type Overrides, sizeOf } from '../override';

type Inputs = KernelInputs['inputs'];

const REDUCTIONS: readonly BlockReduction[] = ['sum', 'sum_abs', 'max_abs'];

/** The operands that every kernel of one family begins with; absent ones are null. */
const operands = (backend: NativeBackend, { delta, A, B, C, D, source, taps, target, weight }: Inputs) =>
  [delta, A, B, C, D, source, taps, target, weight].map((tensor) => (tensor ? backend.floats(tensor) : null));

const s6Sizes = ({ A, delta, taps }: Inputs) => [...delta.shape, A.shape[1], taps.shape[1]];

function ssdSizes({ delta, B, taps }: Inputs): number[] {
  const [L, H] = delta.shape;
  const [E, K] = taps.shape;
  return [L, H, E / H, B.shape[1], B.shape[2], K];
}

/** The kernels of one family of folded maps; inputs were checked by `kernels/ops`. */
function familyOf(kind: 'S6' | 'Ssd', sizes: (inputs: Inputs) => number[]): Overrides {
  const name = kind === 'S6' ? 's6' : 'ssd';
  return {
    [`${kind}BlockAttention`]: ({ backend, inputs, attrs: { reduce } }) => {
      const L = inputs.delta.shape[0];
      const map = backend.allocate(L * L);
      // Only a signed sum over channels is a sum of matrix products.
      if (reduce !== 'sum') {
        const reduction = REDUCTIONS.indexOf(reduce);
        kernels[`${name}BlockAttention`](...operands(backend, inputs), map, ...sizes(inputs), reduction);
      } else if (kind === 'Ssd') kernels.ssdBlockSum(...operands(backend, inputs), map, ...sizes(inputs));
      else {
        const turned = backend.allocate(4 * sizeOf(inputs.delta.shape));
        kernels.s6BlockSum(...operands(backend, inputs), map, turned, ...sizes(inputs));
        backend.recycle(turned);
      }
      return backend.output([L, L], map);
    },
    [`${kind}BlockColumns`]: ({ backend, inputs, attrs: { first, count } }) => {
      const shape = [inputs.taps.shape[0], inputs.delta.shape[0] - first, count];
      // Not of the pool, which keeps buffers by length: those of all strips of sources would be as much as E·L².
      const out = new Float32Array(shape[0] * shape[1] * shape[2]);
      kernels[`${name}BlockColumns`](...operands(backend, inputs), out, ...sizes(inputs), first, count);
      return backend.makeTensorInfo(shape, 'float32', out);
    },
    [`${kind}BlockStatistics`]: ({ backend, inputs, attrs: { nearest } }) => {
      const shape = [inputs.taps.shape[0], STATISTICS_PER_CHANNEL];
      const out = backend.allocate(shape[0] * shape[1]);
      kernels[`${name}BlockStatistics`](...operands(backend, inputs), out, ...sizes(inputs), nearest);
      return backend.output(shape, out);
    },
  };
}

/** Folded implicit attention of `kernels/ops`. */
export const blockAttention: Overrides = { ...familyOf('S6', s6Sizes), ...familyOf('Ssd', ssdSizes) };
