import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { crossEntropy } from '@/kernels/ops';
import type { DifferentialBlock } from '@/lib/architectures/types';
import type { ModelConfig } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { INITIAL, initialCheckpoint } from '@/lib/training/initialise';
import { createModel, type Model } from './model';

beforeAll(async () => {
  await openDevice();
});

const MIXER = {
  d: 12,
  E: 16,
  N: 5,
  K: 4,
  R: 0,
  H: 4,
  P: 4,
  G: 2,
  timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
  useBias: true,
  useConvBias: true,
  epsilon: 1e-5,
};

const BLOCKS: Readonly<Record<string, Omit<DifferentialBlock, 'kind' | 'lambdaInit'>>> = {
  'a scalar λ': { mixer: MIXER, lambda: 'sigmoid_sum', subln: true },
  'a λ for each channel': { mixer: MIXER, lambda: 'sigmoid_channel', subln: true },
  'λ of exponentials, no sub-norm': { mixer: MIXER, lambda: 'exp', subln: false },
  'a constant λ, no biases': {
    mixer: { ...MIXER, useBias: false, useConvBias: false },
    lambda: { constant: 0.4 },
    subln: true,
  },
  'λ of exponentials, projections without biases': {
    mixer: { ...MIXER, useBias: false },
    lambda: 'exp',
    subln: true,
  },
  'a λ for each channel, projections without biases, no sub-norm': {
    mixer: { ...MIXER, useBias: false },
    lambda: 'sigmoid_channel',
    subln: false,
  },
};

/** A model whose every parameter was moved, so that none is 0 or the same in both mixers. */
function modelOf(block: (typeof BLOCKS)[string]): Model {
  const blocks = [0.2, 0.5].map((lambdaInit) => ({ ...block, kind: 'diff_mamba2' as const, lambdaInit }));
  const config: ModelConfig = { format: 'statescope', d: 12, V: 20, vocabulary: 20, epsilon: 1e-5, tied: true, blocks };
  const random = new Random(4);
  const model = createModel(initialCheckpoint(config, random, 'two mixers', { ...INITIAL, embeddingDeviation: 0.5 }));
  for (const variable of model.parameters.values()) {
    const values = Float32Array.from(variable.dataSync(), (value) => value + 0.2 * random.normal());
    variable.assign(tf.tensor(values, variable.shape));
  }
  return model;
}

function gradientsOf(model: Model, joined: boolean) {
  const tokens = tf.tensor2d([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [2, 6], 'int32');
  const labels = tf.tensor1d([1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9], 'int32');
  const { value, grads } = tf.variableGrads(
    () => crossEntropy(model.forward(tokens, { joined }).reshape([12, 20]) as tf.Tensor2D, labels),
    [...model.parameters.values()],
  );
  return new Map([
    ['loss', value.dataSync()],
    ...[...model.parameters].map(([name, { name: key }]) => [name, grads[key]?.dataSync()] as const),
  ]);
}

describe.each(Object.entries(BLOCKS))('two mixers with %s', (_what, block) => {
  it('have the values and gradients, as one, that they have apart', () => {
    const model = modelOf(block);
    const [apart, joined] = [gradientsOf(model, false), gradientsOf(model, true)];
    for (const [name, values] of apart) {
      if (!values) continue;
      const size = Math.hypot(...values);
      const error = Math.hypot(...values.map((value, i) => value - (joined.get(name) as Float32Array)[i]));
      expect(size, name).toBeGreaterThan(0);
      expect(error / size, name).toBeLessThan(2e-5);
    }
  });

  it('run as one only where nobody observes them', () => {
    const model = modelOf(block);
    const seen: string[] = [];
    const hook = ['blocks.*.mixer_2.hook_delta', (_value: tf.Tensor, name: string) => void seen.push(name)] as const;
    const observed = model.forward([[1, 2, 3]], { hooks: [hook], joined: true }).dataSync();
    expect(seen).toEqual(['blocks.0.mixer_2.hook_delta', 'blocks.1.mixer_2.hook_delta']);
    expect(observed).toEqual(model.forward([[1, 2, 3]]).dataSync());
  });
});
