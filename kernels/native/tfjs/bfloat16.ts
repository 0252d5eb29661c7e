import { kernels } from '../addon';
import { type Overrides, sizeOf } from '../override';

/** The rounding of `kernels/ops`, and bits that are bfloat16 already; kept in two bytes a value. */
export const bfloat16: Overrides = {
  KeepBfloat16: ({ backend, attrs: { bits, shape } }) => backend.halvesOutput([...shape], bits),
  RoundToBfloat16: ({ backend, inputs: { x } }) => {
    const halves = new Uint16Array(sizeOf(x.shape));
    kernels.roundBfloat16(backend.floats(x), halves);
    return backend.halvesOutput(x.shape, halves);
  },
};
