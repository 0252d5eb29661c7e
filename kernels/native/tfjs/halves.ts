import { kernels } from '../addon';
import { type Overrides, sizeOf } from '../override';

/** The rounding of `kernels/ops`, and bits that are of a 16-bit format already; kept in two bytes a value. */
export const halves: Overrides = {
  KeepHalves: ({ backend, attrs: { bits, shape, format } }) => backend.halvesOutput([...shape], bits, format),
  RoundToBfloat16: ({ backend, inputs: { x } }) => {
    const bits = new Uint16Array(sizeOf(x.shape));
    kernels.roundBfloat16(backend.floats(x), bits);
    return backend.halvesOutput(x.shape, bits, 'bfloat16');
  },
};
