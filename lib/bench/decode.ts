import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '@/lib/checkpoint';
import { createModel, type DecodingState, disposeState, extend } from '@/lib/models';
import { WEIGHT_FORMATS } from '@/lib/vocabulary';
import { type Benchmark, type Measurement, measurement, medianMs, mediansMs } from './measure';
import { finish, scoped } from './operands';
import { MAMBA_130M, MAMBA2_130M, productsOf, randomCheckpoint, tokensOf } from './shapes';

const [ROWS, COLUMNS] = [2 ** 16, 1000];
const BYTES = 4 * ROWS * COLUMNS;

/** Bytes a millisecond that are read of a matrix beyond every cache: by its maximum, or by a product with one row if that is faster. */
function bandwidth(): number {
  return scoped(() => {
    const matrix = tf.ones<tf.Rank.R2>([ROWS, COLUMNS]);
    const row = tf.ones<tf.Rank.R2>([1, COLUMNS]);
    const times = mediansMs(
      () => finish(() => matrix.max()),
      () => finish(() => tf.matMul(row, matrix, false, true)),
    );
    return BYTES / Math.min(...times);
  });
}

function step(device: string, what: string, shape: ModelConfig): Measurement[] {
  const bytesPerMs = bandwidth();
  const weights = productsOf(shape).reduce((sum, [k, n]) => sum + k * n, 0);
  const checkpoint = randomCheckpoint(shape);
  return WEIGHT_FORMATS.map((format) => {
    const model = createModel(checkpoint, { weights: format });
    let state: DecodingState | undefined;
    const median = medianMs(() => {
      const next = extend(model, tokensOf(1, 1, shape.V), state);
      next.logits.dataSync();
      next.logits.dispose();
      if (state) disposeState(state);
      state = next.state;
    });
    if (state) disposeState(state);
    model.dispose();
    const bytes = (format === 'bf16' ? 2 : 4) * weights;
    const layout = `${format}, ${Math.round(bytes / 1e6)} MB of weights`;
    const floor = 'reading the weights once, as fast as a maximum or a product with one row reads its operand';
    return measurement({ what: `one token, ${what}`, shape: layout, device, floor }, median, bytes / bytesPerMs);
  });
}

/** How near does a decoding step come to reading the weights once? */
export const decodeBenchmark: Benchmark = {
  name: 'decode',
  run: (device) => [...step(device, 'Mamba-130m', MAMBA_130M), ...step(device, 'Mamba2-130m', MAMBA2_130M)],
};
