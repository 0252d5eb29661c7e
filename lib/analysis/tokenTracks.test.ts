import { beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { type S6Inputs, type ScanBranch, tokenTracks } from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

const TOKENS = [Array.from({ length: 13 }, (_, t) => (7 * t) % 23)];
const T = 5;

beforeAll(async () => {
  await openDevice();
});

describe('tracks', () => {
  it.each<[string, number, ScanBranch]>([
    ['hf-mamba1-bias', 0, 'single'],
    ['hf-mamba2-groups', 0, 'single'],
    ['hf-diffmamba2-all', 1, 'mixer_2'],
  ])('of %s say what each token does, and how large the model’s own states are', async (name, layer, scan) => {
    const model = await loadModel(bundledCase(name));
    const inputs = blocksOf(model, TOKENS)[layer].scans.get(scan) as S6Inputs;
    const point = `blocks.${layer}.${scan === 'single' ? '' : `${scan}.`}hook_h.${T}`;
    const states: number[] = [];
    const steps = model.blocksOf(TOKENS, [[point, (value) => void states.push(...value.dataSync())]]);
    let step = steps.next();
    while (!step.done) step = steps.next();
    step.value.dispose();
    const units = inputs.family === 'mamba1' ? inputs.E : inputs.H;
    const width = inputs.E / units;
    const { delta, decay, gate, half_life, state_norm } = tokenTracks(inputs, 1);
    expect(delta[T]).toBeCloseTo(inputs.delta[T * units + 1], 6);
    const rates = [...inputs.A.subarray(inputs.A.length / units, (2 * inputs.A.length) / units)];
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(decay[T]).toBeCloseTo(mean(rates.map((rate) => Math.exp(rate * delta[T]))), 5);
    expect(Math.exp(Math.max(...rates) * delta[T] * half_life[T])).toBeCloseTo(0.5, 5);
    const gates = [...inputs.z.subarray(T * inputs.E + width, T * inputs.E + 2 * width)];
    expect(gate[T]).toBeCloseTo(mean(gates.map((z) => z / (1 + Math.exp(-z)))), 5);
    const norm = (values: number[]) => Math.sqrt(values.reduce((sum, h) => sum + h * h, 0));
    const own = states.length / units;
    expect(state_norm[T] / norm(states.slice(own, 2 * own))).toBeCloseTo(1, 4);
    expect(tokenTracks(inputs, 'mean').state_norm[T] / (norm(states) / Math.sqrt(units))).toBeCloseTo(1, 4);
    expect(() => tokenTracks(inputs, units)).toThrow(/go from 0/);
    model.dispose();
  });

  it('of all units are means, the half-life a geometric one', async () => {
    const model = await loadModel(bundledCase('hf-mamba2-groups'));
    const inputs = blocksOf(model, TOKENS)[0].scans.get('single') as S6Inputs;
    const each = Array.from({ length: inputs.family === 'mamba2' ? inputs.H : 0 }, (_, u) => tokenTracks(inputs, u));
    const all = tokenTracks(inputs, 'mean');
    const mean = (of: (k: number) => number) => each.reduce((sum, _, k) => sum + of(k), 0) / each.length;
    for (const name of ['delta', 'decay', 'gate'] as const)
      expect(all[name][T]).toBeCloseTo(
        mean((k) => each[k][name][T]),
        5,
      );
    expect(Math.log(all.half_life[T])).toBeCloseTo(
      mean((k) => Math.log(each[k].half_life[T])),
      4,
    );
    model.dispose();
  });
});
