import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockOf } from '@/lib/architectures';
import { BLOCK_KINDS, InputError, type ModelConfig, type SingleKind } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training';
import { BLOCK_COMPONENTS } from '@/lib/vocabulary';
import {
  attentionBytes,
  blockForm,
  branchesOf,
  finalResidual,
  logitDirection,
  logitForm,
  normForm,
  operatorOf,
  parseReduction,
  requireMemory,
  type ScanParameters,
} from '.';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';

beforeAll(async () => {
  await openDevice();
});

/** A small model of one architecture with random weights. */
function randomModel(kind: SingleKind, seed: number, K: number, N: number) {
  const two = kind.includes('mamba2') || kind === 'diff_s6_mamba2';
  const d = 12;
  const E = ['diff_mamba1', 'diff_mamba2'].includes(kind) ? d : 2 * d;
  const mixer = {
    d,
    E,
    N,
    K,
    R: two ? 0 : 2,
    H: two ? E / 4 : 0,
    P: two ? 4 : 0,
    G: two ? 1 : 0,
    epsilon: 1e-2,
    timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
    useBias: false,
    useConvBias: true,
  };
  const blocks = [0, 1].map(() => blockOf(kind, mixer, { lambdaInit: 0.3, subln: true }));
  const config: ModelConfig = { format: 'statescope', d, V: 17, vocabulary: 17, epsilon: 1e-5, tied: true, blocks };
  return createModel(initialCheckpoint(config, new Random(seed), 'random'));
}

/** The skips of the two scans of Diff-S6 cancel, and with them most digits of what is left. */
const toleranceOf = (kind: SingleKind) => (kind === 'diff_s6' ? 1e-2 : 1e-4);

describe('every form of random models', () => {
  it.each(BLOCK_KINDS)('of %s gives back the forward pass', (kind) => {
    const shape = fc.record({
      seed: fc.integer({ min: 1, max: 1e6 }),
      L: fc.integer({ min: 1, max: 40 }),
      K: fc.integer({ min: 1, max: 5 }),
      N: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(shape, ({ seed, L, K, N }) => {
        const model = randomModel(kind, seed, K, N);
        const tokens = [Array.from({ length: L }, (_, t) => (seed + 5 * t * t) % 17)];
        const u = logitDirection(model, finalResidual(model, tokens), 3);
        for (const block of blocksOf(model, tokens)) {
          const parameters = operatorOf(model, block);
          for (const branch of branchesOf(kind)) {
            expect(logitForm(block, parameters, u, branch).reconstructionError).toBeLessThan(toleranceOf(kind));
            expect(normForm(block, parameters, branch).reconstructionError).toBeLessThan(toleranceOf(kind));
          }
          for (const [scan, inputs] of block.scans)
            for (const reduce of ['mean', 'mean_abs', 'max', `channel:${seed % inputs.E}`]) {
              const { scans } = parameters;
              const map = blockForm(inputs, scans.get(scan) as ScanParameters, parseReduction(reduce));
              expect(map.reconstructionError, reduce).toBeLessThan(1e-4);
            }
        }
        model.dispose();
      }),
      { numRuns: 4, seed: 7 },
    );
  });

  it('sum to the logits with the embedding', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const tokens = [[5, 17, 3, 42, 8]];
    const L = tokens[0].length;
    const target = 9;
    const residual = finalResidual(model, tokens);
    const u = logitDirection(model, residual, target);
    const { d } = model.config;
    const { cache, logits } = model.runWithCache(tokens, { names: ['hook_embed'] });
    const embed = cache.get('hook_embed')?.dataSync() as Float32Array;
    const total = Float64Array.from({ length: L }, (_, i) => {
      let sum = 0;
      for (let r = 0; r < d; r++) sum += embed[i * d + r] * u[i * d + r];
      return sum;
    });
    for (const block of blocksOf(model, tokens)) {
      const { map, rest } = logitForm(block, operatorOf(model, block), u, 'diff');
      for (let i = 0; i < L; i++) total[i] += rest[i] + map.subarray(i * L, i * L + L).reduce((a, b) => a + b, 0);
    }
    const expected = (logits.arraySync() as number[][][])[0].map((row) => row[target]);
    total.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 4);
    });
    model.dispose();
  });
});

describe('ablation of the block form', () => {
  it.each(BLOCK_COMPONENTS)('without %s is another map that is as exact', async (component) => {
    const model = await loadModel(bundledCase('hf-mamba2-groups'));
    const tokens = [[5, 17, 3, 42, 8, 1, 1, 2]];
    const [block] = blocksOf(model, tokens);
    const parameters = operatorOf(model, block).scans.get('single') as ScanParameters;
    const inputs = block.scans.get('single');
    if (!inputs) throw new Error('expected one scan');
    for (const reduce of ['mean', 'channel:3', 'max', 'head:1']) {
      const whole = blockForm(inputs, parameters, parseReduction(reduce));
      const ablated = blockForm(inputs, parameters, parseReduction(reduce), new Set([component]));
      expect(ablated.reconstructionError).toBeLessThan(1e-4);
      expect(ablated.convention).toContain(`without ${component}`);
      expect(ablated.map.some((value, k) => Math.abs(value - whole.map[k]) > 1e-3 * Math.abs(value))).toBe(true);
    }
    model.dispose();
  });
});

describe('what cannot be computed', () => {
  it('is refused with both figures where memory would not do', async () => {
    const model = await loadModel(bundledCase('hf-mamba1-bias'));
    const bytes = attentionBytes(model.config, 4096, { layers: [0, 1], mapsPerLayer: 1 });
    expect(bytes).toBeGreaterThan(2 * 4 * 4096 ** 2);
    expect(attentionBytes(model.config, 4096, { layers: [0], mapsPerLayer: 1, forms: ['norm'] })).toBeGreaterThan(
      bytes / 2,
    );
    expect(() => requireMemory(bytes, 1e6, 4096)).toThrow(InputError);
    model.dispose();
  });
});
