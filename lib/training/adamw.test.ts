import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { AdamW, clipFactor, decaysInLanguageModels, globalNorm } from './adamw';

const options = {
  betas: [0.9, 0.99] as const,
  epsilon: 1e-8,
  weightDecay: 0.1,
  decays: (name: string) => name === 'w',
};
const variables = () =>
  new Map<string, tf.Variable>([
    ['w', tf.variable(tf.tensor1d([1, -2]))],
    ['b', tf.variable(tf.scalar(0.5))],
  ]);
const gradientsAt = (step: number) =>
  new Map([
    ['w', tf.tensor([0.3 * step, -0.1])],
    ['b', tf.scalar(2 - step)],
  ]);

describe('AdamW', () => {
  it('follows the update rule, with decay only where it is due', () => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, options);
    optimizer.step(gradientsAt(1), 0.01);
    // At the first step m̂ / √v̂ is the sign of the gradient.
    expect(parameters.get('w')?.dataSync()[0]).toBeCloseTo(1 * (1 - 0.001) - 0.01, 6);
    expect(parameters.get('w')?.dataSync()[1]).toBeCloseTo(-2 * (1 - 0.001) + 0.01, 6);
    expect(parameters.get('b')?.dataSync()[0]).toBeCloseTo(0.5 - 0.01, 6);
    optimizer.step(gradientsAt(2), 0.01);
    const m = (0.9 * 0.1 * 0.3 + 0.1 * 0.6) / (1 - 0.81);
    const v = (0.99 * 0.01 * 0.09 + 0.01 * 0.36) / (1 - 0.9801);
    expect(parameters.get('w')?.dataSync()[0]).toBeCloseTo(0.989 * 0.999 - (0.01 * m) / Math.sqrt(v), 6);
  });

  it('goes on from a stored state exactly', () => {
    const straight = variables();
    const optimizer = new AdamW(straight, options);
    for (let step = 1; step <= 4; step++) optimizer.step(gradientsAt(step), 0.01);

    const resumed = variables();
    const before = new AdamW(resumed, options);
    for (let step = 1; step <= 2; step++) before.step(gradientsAt(step), 0.01);
    const after = new AdamW(resumed, options);
    after.restore(before.state);
    for (let step = 3; step <= 4; step++) after.step(gradientsAt(step), 0.01);
    for (const [name, variable] of straight) expect(resumed.get(name)?.dataSync()).toEqual(variable.dataSync());
  });

  it('leaves parameters without a gradient alone and refuses a foreign state', () => {
    const parameters = variables();
    const optimizer = new AdamW(parameters, options);
    optimizer.step(new Map([['w', tf.tensor([1, 1])]]), 0.01);
    expect(parameters.get('b')?.dataSync()[0]).toBe(0.5);
    expect(() => optimizer.restore({ step: 1, moments: new Map() })).toThrow('w');
  });
});

describe('clipping', () => {
  it('takes one norm over all gradients, and scales only above the limit', () => {
    const gradients = new Map([
      ['w', tf.tensor([3, 0])],
      ['b', tf.tensor([4])],
    ]);
    expect(globalNorm(gradients)).toBe(5);
    expect(clipFactor(5, 10)).toBe(1);
    expect(clipFactor(5, 1)).toBeCloseTo(0.2, 6);
    const [clipped, scaled] = [variables(), variables()];
    new AdamW(clipped, { ...options, epsilon: 1 }).step(gradients, 0.01, 0.5);
    const halves = new Map([...gradients].map(([name, values]) => [name, values.div(2)]));
    new AdamW(scaled, { ...options, epsilon: 1 }).step(halves, 0.01);
    for (const [name, variable] of scaled) expect(clipped.get(name)?.dataSync()).toEqual(variable.dataSync());
  });
});

describe('decaysInLanguageModels', () => {
  it.each([
    ['backbone.embeddings.weight', true],
    ['backbone.layers.0.mixer.in_proj.weight', true],
    ['backbone.layers.0.mixer_1.norm.weight', true],
    ['backbone.layers.3.subln.weight', true],
    ['backbone.layers.3.lambda_q1', true],
    ['backbone.layers.3.norm.weight', false],
    ['backbone.norm_f.weight', false],
    ['backbone.layers.0.mixer.A_log', false],
    ['backbone.layers.0.mixer.A1_log', false],
    ['backbone.layers.0.mixer.D', false],
    ['backbone.layers.0.mixer.D2', false],
    ['backbone.layers.0.mixer_2.dt_bias', false],
    ['backbone.layers.0.mixer.dt1_bias', false],
    ['backbone.layers.0.mixer.dt_proj.bias', false],
    ['backbone.layers.0.mixer.conv1d.bias', false],
  ])('%s: %s', (name, decays) => expect(decaysInLanguageModels(name)).toBe(decays));
});
