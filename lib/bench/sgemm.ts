import { rateOf } from './machine';
import { type Benchmark, measurement } from './measure';
import { productMs } from './products';

/** Products of Mamba-130m at 512 tokens, and the square one by which machines are compared. */
const SHAPES = [
  [1024, 1024, 1024],
  [512, 768, 3072],
  [512, 1536, 768],
  [512, 1536, 80],
  [512, 768, 50280],
] as const;

/** How near do the model's matrix products come to what the machine can do? */
export const sgemm: Benchmark = {
  name: 'sgemm',
  run: (device) =>
    SHAPES.map(([m, k, n]) => {
      const { perMs, what } = rateOf(device);
      const line = { what: 'sgemm', shape: `${m}×${k}×${n}`, device, floor: what };
      return measurement(line, productMs(m, k, n), (m * k * n) / perMs);
    }),
};
