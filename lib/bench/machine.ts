import { kernels } from '@/kernels/native/addon';
import { medianMs } from './measure';
import { productMs } from './products';

/** The yardstick of floors by operation count. */
export interface Rate {
  /** Multiply-adds per millisecond, all threads together. */
  readonly perMs: number;
  /** What was measured, for people. */
  readonly what: string;
}

const ITERATIONS = 2 ** 21;
const SQUARE = 1024;

const rates = new Map<string, Rate>();

/**
 * The fastest that this device multiplies and adds, measured once per process: native, a loop over registers and
 * first-level cache; elsewhere the best matrix product.
 */
export function rateOf(device: string): Rate {
  const known = rates.get(device);
  if (known) return known;
  const rate = device === 'native' ? nativePeak() : bestProduct();
  rates.set(device, rate);
  return rate;
}

function nativePeak(): Rate {
  const operations = new Float32Array(1);
  const ms = medianMs(() => kernels.fmaPeak(operations, ITERATIONS));
  return { perMs: operations[0] / 2 / ms, what: 'the peak rate of multiply-adds' };
}

function bestProduct(): Rate {
  return { perMs: SQUARE ** 3 / productMs(SQUARE, SQUARE, SQUARE), what: 'the rate of a 1024³ product' };
}
