import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import { loadCheckpoint, readSafetensors } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, lossAndGradients, type Model } from '@/lib/models';
import { caseOf, modelCases } from '@/testing/references';
import { AdamW, clipFactor, globalNorm } from './adamw';

/** Reference runs of torch's AdamW in float64. */
const CASES = modelCases('training.safetensors');
const DEVICES = isAvailable ? (['native', 'cpu'] as const) : (['cpu'] as const);

interface Training {
  readonly optimiser: {
    readonly lr: number;
    readonly betas: [number, number];
    readonly eps: number;
    readonly weight_decay: number;
    readonly grad_norm_clip: number;
    readonly steps: number;
  };
  readonly loss_before_each_step_and_after_the_last: readonly number[];
  readonly grad_norm_before_clip: readonly number[];
}

const largest = (values: Float32Array) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);

function gradientsOf(model: Model, tokens: tf.Tensor2D) {
  const { loss, gradients } = lossAndGradients(model, tokens);
  const value = loss.dataSync()[0];
  loss.dispose();
  return { loss: value, gradients };
}

describe.each(DEVICES)('three steps as torch takes them, on %s', (device) => {
  beforeAll(async () => {
    await openDevice({ device });
  });

  describe.each(CASES)('$name', ({ folder }) => {
    const { tokens, training } = caseOf(folder) as { tokens: number[][]; training: Training };
    let model: Model;
    let expected: Map<string, Float32Array>;
    beforeAll(async () => {
      model = createModel(await loadCheckpoint(folder));
      const stored = await readSafetensors(`${folder}/training.safetensors`);
      expected = new Map([...stored].map(([key, { data }]) => [key, data as Float32Array]));
    });
    afterAll(() => model.dispose());

    it('has their loss and gradients, and their parameters after AdamW', () => {
      const batch = tf.tensor2d(tokens, [tokens.length, tokens[0].length], 'int32');
      const { optimiser, grad_norm_before_clip: norms, loss_before_each_step_and_after_the_last: losses } = training;
      const { betas, eps: epsilon, weight_decay: weightDecay } = optimiser;
      const adamw = new AdamW(model.parameters, { betas, epsilon, weightDecay, decays: () => true });
      for (let step = 0; step < optimiser.steps; step++) {
        const { loss, gradients } = gradientsOf(model, batch);
        expect(Math.abs(loss / losses[step] - 1)).toBeLessThan(1e-5);
        if (step === 0)
          for (const [parameter, gradient] of gradients) {
            const want = expected.get(`grad.${parameter}`) as Float32Array;
            const error = largest(Float32Array.from(gradient.dataSync(), (value, i) => value - want[i]));
            expect(error, parameter).toBeLessThanOrEqual(1e-4 * largest(want) + 1e-7 * norms[0]);
          }
        const norm = globalNorm(gradients);
        expect(Math.abs(norm / norms[step] - 1)).toBeLessThan(1e-4);
        adamw.step(gradients, optimiser.lr, clipFactor(norm, optimiser.grad_norm_clip));
        tf.dispose([...gradients.values()]);
      }
      const { loss: last, gradients } = gradientsOf(model, batch);
      tf.dispose([...gradients.values()]);
      expect(Math.abs(last / losses[optimiser.steps] - 1)).toBeLessThan(1e-5);

      // Where a gradient is nearly zero AdamW turns rounding into a full step, so a few elements may differ more.
      let far = 0;
      let count = 0;
      for (const [parameter, variable] of model.parameters) {
        const want = expected.get(`after3.${parameter}`) as Float32Array;
        const errors = Float32Array.from(variable.dataSync(), (value, i) => Math.abs(value - want[i]));
        const limit = 1e-4 * largest(want);
        far += errors.filter((error) => error > limit).length;
        count += errors.length;
        expect(largest(errors), parameter).toBeLessThanOrEqual(6e-3);
      }
      expect(far / count).toBeLessThan(1e-3);
      batch.dispose();
    });
  });
});
