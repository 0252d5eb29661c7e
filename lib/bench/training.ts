import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '@/lib/checkpoint';
import { lossAndGradients, type Model } from '@/lib/models';
import { AdamW, decaysInLanguageModels } from '@/lib/training';
import { type Benchmark, measurement, mediansMs } from './measure';
import { productsMs } from './products';
import { randomModel, SMALL, SMALL_2, SMALL_DIFF, tokensOf } from './shapes';

const [ROWS, L] = [4, 512];

/** One step of AdamW on the next tokens of a batch. */
function stepOf(model: Model): () => void {
  const optimizer = new AdamW(model.parameters, {
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    weightDecay: 0.1,
    decays: decaysInLanguageModels,
  });
  const rows = tokensOf(ROWS, L, model.config.V);
  return () => {
    const tokens = tf.tensor2d(rows.flat(), [ROWS, L], 'int32');
    const { loss, gradients } = lossAndGradients(model, tokens);
    optimizer.step(new Map([...gradients].map(([name, value]) => [name, value.dataSync() as Float32Array])), 1e-4);
    tf.dispose([loss, tokens, ...gradients.values()]);
  };
}

const parametersOf = (model: Model) => [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0);

const shapeOf = ({ d, blocks, V }: ModelConfig) => `batch ${ROWS}×${L}, d=${d}, ${blocks.length} layers, V=${V}`;

/**
 * How near does a training step come to the products of its forward and backward passes, and what do the other
 * architectures take for as many parameters? The models take turns.
 */
export const trainingBenchmark: Benchmark = {
  name: 'training step',
  run: (device) => {
    const floor = 3 * productsMs(SMALL, ROWS * L);
    const models = [SMALL, SMALL_2, SMALL_DIFF].map(randomModel);
    const [first, ...others] = mediansMs(...models.map(stepOf));
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
    ];
  },
};
