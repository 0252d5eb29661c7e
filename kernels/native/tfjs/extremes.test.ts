import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { blockAttention, s6Attention, selectiveScan, ssdAttention, ssdScan } from '../../ops';
import * as reference from '../../reference';
import { blockFold, s6AttentionInput, scanInput, ssdAttentionInput, ssdInput } from '../../reference/cases';
import { Random } from '../../reference/random';
import { expectClose } from '../../reference/test-support';
import { isAvailable } from '../addon';
import { configureNative, nativeInfo, registerNative } from '../register';

/** Sizes of a step's decay exponent, from none at all to everything at once. */
const STEPS = [0, 1e-30, 1e-8, 1e-3, 1, 30, 300, 1e5];
const L = 130;

/** Time steps of one size, or of all sizes in turn, each token of its own. */
function stepsOf(size: number | 'mixed', count: number, perToken: number): Float32Array {
  const random = new Random(5);
  return Float32Array.from({ length: count }, (_, i) => {
    const chosen = size === 'mixed' ? STEPS[(Math.floor(i / perToken) * 5) % STEPS.length] : size;
    return chosen * (0.5 + random.next());
  });
}

/**
 * Every column of a map is as right as its largest entry demands: sources with tiny steps count as much as huge ones.
 * Where a source lasts for one token only, that entry is a single C·B, which may have cancelled.
 */
function expectColumnsClose(map: ArrayLike<number>, expected: Float64Array): void {
  for (let j = 0; j < L; j++) {
    const column = (values: ArrayLike<number>) => Float64Array.from({ length: L }, (_, i) => values[i * L + j]);
    expectClose(Float32Array.from(column(map)), column(expected), 1e-4, `source ${j}`);
  }
}

const tensors = (arrays: Record<string, [ArrayLike<number>, number[]]>) =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, [v, shape]]) => [name, tf.tensor(Float32Array.from(v), shape)]),
  );

const valuesOf = (compute: () => tf.Tensor) => tf.tidy(() => compute().dataSync() as Float32Array);

const sizes = ['mixed' as const, ...STEPS];
const settings = ['avx512', 'avx2', 'generic'].flatMap((isa) => [1, 2].map((threads) => ({ isa, threads })));

function runsHere(setting: { isa: string; threads: number }): boolean {
  try {
    configureNative(setting);
    return true;
  } catch {
    return false;
  }
}

describe('decays of every size', needs(isAvailable, ADD_ON), () => {
  const initial = isAvailable ? nativeInfo() : { isa: '', threads: 1 };
  beforeAll(async () => {
    registerNative();
    await tf.setBackend('native');
  });
  afterAll(() => {
    configureNative(initial);
  });

  it.each(sizes)('S6 attention, steps of %s', (size) => {
    const [E, N] = [19, 5];
    const input = { ...s6AttentionInput(L, E, N), delta: stepsOf(size, L * E, E) };
    for (const reduce of ['mean', 'mean_abs', { channel: 2 }] as const) {
      const expected = reference.s6Attention(input, reduce);
      for (const setting of settings.filter(runsHere)) {
        configureNative(setting);
        const map = valuesOf(() => {
          const { delta, A, B, C } = input;
          const given = tensors({ delta: [delta, [L, E]], A: [A, [E, N]], B: [B, [L, N]], C: [C, [L, N]] });
          return s6Attention(given as never, { reduce });
        });
        expectColumnsClose(map, expected);
      }
    }
  });

  it.each(sizes)('folded S6 maps, steps of %s', (size) => {
    const [E, N, K] = [19, 5, 4];
    const input = { ...s6AttentionInput(L, E, N), delta: stepsOf(size, L * E, E) };
    const fold = blockFold(L, E, K, 0, true);
    const { source, taps, target, weight } = fold;
    for (const reduce of ['sum', 'sum_abs'] as const) {
      const expected = reference.s6BlockAttention(input, fold, reduce);
      for (const setting of settings.filter(runsHere)) {
        configureNative(setting);
        const map = valuesOf(() => {
          const { delta, A, B, C } = input;
          const scan = tensors({ delta: [delta, [L, E]], A: [A, [E, N]], B: [B, [L, N]], C: [C, [L, N]] });
          const around = tensors({
            source: [source, [L, E]],
            taps: [taps, [E, K]],
            target: [target, [L, E]],
            weight: [weight as Float64Array, [L, E]],
          });
          return blockAttention({ kind: 'S6', scan } as never, around as never, reduce);
        });
        expectColumnsClose(map, expected);
      }
    }
  });

  it.each(sizes)('SSD attention, steps of %s', (size) => {
    const [H, G, N] = [6, 2, 9];
    const input = { ...ssdAttentionInput(L, H, G, N), delta: stepsOf(size, L * H, H) };
    for (const reduce of ['mean', 'mean_abs', { head: 4 }] as const) {
      const expected = reference.ssdAttention(input, reduce);
      for (const setting of settings.filter(runsHere)) {
        configureNative(setting);
        const map = valuesOf(() => {
          const { delta, A, B, C } = input;
          const given = tensors({ delta: [delta, [L, H]], A: [A, [H]], B: [B, [L, G, N]], C: [C, [L, G, N]] });
          return ssdAttention(given as never, { reduce });
        });
        expectColumnsClose(map, expected);
      }
    }
  });

  it.each(sizes)('scans, steps of %s', (size) => {
    const [E, N, H, P, G] = [19, 5, 3, 4, 1];
    const s6 = { ...scanInput({ batch: 1, L, E, N }), delta: stepsOf(size, L * E, E) };
    const ssd = { ...ssdInput({ batch: 1, L, H, P, G, N }), delta: stepsOf(size, L * H, H) };
    const seq = [1, L, N];
    const groups = [1, L, G, N];
    for (const setting of settings.filter(runsHere)) {
      configureNative(setting);
      const given = () =>
        tensors({
          x: [s6.x, [1, L, E]],
          delta: [s6.delta, [1, L, E]],
          A: [s6.A, [E, N]],
          B: [s6.B, seq],
          C: [s6.C, seq],
        });
      expectClose(
        valuesOf(() => selectiveScan(given() as never)),
        reference.selectiveScan(s6),
        5e-6,
        'S6',
      );
      const heads = () =>
        tensors({
          x: [ssd.x, [1, L, H, P]],
          delta: [ssd.delta, [1, L, H]],
          A: [ssd.A, [H]],
          B: [ssd.B, groups],
          C: [ssd.C, groups],
        });
      expectClose(
        valuesOf(() => ssdScan(heads() as never)),
        reference.ssdScan(ssd),
        5e-6,
        'SSD',
      );
    }
  });
});
