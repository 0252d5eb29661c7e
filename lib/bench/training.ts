import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '@/lib/checkpoint';
import { batchOf } from '@/lib/data/batches';
import { lossAndGradients, type Model } from '@/lib/models';
import { AdamW, clipFactor, decaysInLanguageModels, globalNorm } from '@/lib/training';
import { stepGradients } from '@/lib/training/gradients';
import { type Benchmark, type Measurement, measurement, mediansMs } from './measure';
import { scoped } from './operands';
import { productsMs, productsRun } from './products';
import { randomModel, SMALL, SMALL_2, SMALL_DIFF, TRAINED_2, TRAINED_DIFF, tokensOf } from './shapes';

const [ROWS, L] = [4, 512];

/** One step of AdamW on the next tokens of a batch. */
export function stepOf(model: Model, count = ROWS, length = L): () => void {
  const optimizer = new AdamW(model.parameters, {
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 0.1,
    decays: decaysInLanguageModels,
  });
  const rows = tokensOf(count, length, model.config.V);
  return () => {
    const tokens = tf.tensor2d(rows.flat(), [count, length], 'int32');
    const { loss, gradients } = lossAndGradients(model, tokens);
    optimizer.step(gradients, 1e-4);
    tf.dispose([loss, tokens, ...gradients.values()]);
  };
}

const parametersOf = (model: Model) => [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0);

const shapeOf = ({ d, blocks, V }: ModelConfig, rows = ROWS, length = L) =>
  `batch ${rows}×${length}, d=${d}, ${blocks.length} layers, V=${V}`;

/** Rows and length of what a small model is trained on; every eighth token is an answer. */
const [TRAINED_ROWS, TRAINED_LENGTH, ANSWER_EVERY] = [16, 256, 8];

/** One step as `train` makes it: gradients of the answers and of every token, clipped, then AdamW. */
function trainerStep(model: Model): () => void {
  const optimizer = new AdamW(model.parameters, {
    betas: [0.9, 0.98],
    epsilon: 1e-8,
    weightDecay: 0.1,
    decays: decaysInLanguageModels,
  });
  const spans = Array.from({ length: TRAINED_LENGTH / ANSWER_EVERY - 1 }, (_, i) => (i + 1) * ANSWER_EVERY);
  const rows = tokensOf(TRAINED_ROWS, TRAINED_LENGTH, model.config.V).map((tokens) => ({
    tokens: Int32Array.from(tokens),
    answers: spans.map((start) => ({ start, end: start + 1 })),
  }));
  const batch = { ...batchOf(rows), parts: new Int32Array(TRAINED_ROWS) };
  const memory = { when: false, limit: Number.POSITIVE_INFINITY };
  return () => {
    const { gradients } = stepGradients(model, [batch], [{ answers: 1, text: 0.1 }], memory);
    optimizer.step(gradients, 1e-4, clipFactor(globalNorm(gradients), 1));
    tf.dispose([...gradients.values()]);
  };
}

/** A Mamba-2 that this machine trains from nothing, and its differential twin, taking turns with their products. */
function trainedPair(device: string): Measurement[] {
  return scoped(() => {
    const tokens = TRAINED_ROWS * TRAINED_LENGTH;
    const pair = [TRAINED_2, TRAINED_DIFF] as const;
    const models = pair.map(randomModel);
    const [plain, differential, ...products] = mediansMs(
      ...models.map(trainerStep),
      ...pair.map((shape) => productsRun(shape, tokens)),
    );
    for (const model of models) model.dispose();
    const line = (what: string, i: number, median: number, floor: string, floorMs: number) => {
      const shape = shapeOf(pair[i], TRAINED_ROWS, TRAINED_LENGTH);
      const told = `training step, ${what}, ${Math.round((1000 * tokens) / median)} tokens/s`;
      return measurement({ what: told, shape, device, floor }, median, floorMs);
    };
    const floor = 'three times the matrix products of the forward pass, scans left out';
    return [
      line('Mamba-2', 0, plain, floor, 3 * products[0]),
      line('Diff-Mamba-2', 1, differential, floor, 3 * products[1]),
      line('Diff-Mamba-2', 1, differential, "its plain twin's step, taking turns", plain),
    ];
  });
}

/**
 * How near does a training step come to the products of its forward and backward passes, and what do the other
 * architectures take for as many parameters? The models take turns.
 */
export const trainingBenchmark: Benchmark = {
  name: 'training step',
  run: (device) => {
    const floor = 3 * productsMs(SMALL, ROWS * L);
    const models = [SMALL, SMALL_2, SMALL_DIFF].map(randomModel);
    const [first, ...others] = mediansMs(...models.map((model) => stepOf(model)));
    const parameters = models.map(parametersOf);
    for (const model of models) model.dispose();
    const shape = shapeOf(SMALL);
    const products = 'three times the matrix products of the forward pass';
    return [
      measurement({ what: 'training step, Mamba', shape, device, floor: products }, first, floor),
      ...['Mamba-2', 'Diff-Mamba-2 alternate'].map((what, i) => {
        const sameSize = (first * parameters[i + 1]) / parameters[0];
        const labels = { what: `training step, ${what}`, shape, device };
        return measurement({ ...labels, floor: "Mamba's step for as many parameters" }, others[i], sameSize);
      }),
      ...trainedPair(device),
    ];
  },
};
