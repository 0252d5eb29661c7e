import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import { lensOf, residualsOf } from '@/lib/analysis';
import { ablation } from '@/lib/analysis/causal';
import { type Checkpoint, loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { InputError } from '@/lib/input-error';
import { createModel, disposeState, type Model } from '@/lib/models';
import { createTunedLensTrainer, TUNED_LENS_DEFAULTS } from '@/lib/training/tuned-lens';
import { generate, generationSteps, nextToken } from '.';

const EMBEDDINGS = 'backbone.embeddings.weight';
const TOKENS = [5, 40, 3, 77, 12, 9];
const [REAL, ROWS] = [101, 104];

/** The case with other rows of the tied embedding from its padding on. */
function withRows(checkpoint: Checkpoint, V: number, row: Float32Array): Checkpoint {
  const { tensors, config } = checkpoint;
  const stored = tensors.get(EMBEDDINGS) as NonNullable<ReturnType<typeof tensors.get>>;
  const data = new Float32Array(V * config.d);
  data.set(stored.data.subarray(0, REAL * config.d));
  for (let v = REAL; v < V; v++) data.set(row, v * config.d);
  const changed = new Map([...tensors, [EMBEDDINGS, { ...stored, shape: [V, config.d], data }] as const]);
  return { ...checkpoint, config: { ...config, V }, tensors: changed };
}

const devices = isAvailable ? (['native', 'cpu'] as const) : (['cpu'] as const);

describe.each(devices)('padded rows of the vocabulary on %s', (device) => {
  let bare: Model;
  let padded: Model;

  beforeAll(async () => {
    await openDevice({ device });
    const checkpoint = await loadCheckpoint(join('lib/models/testing/cases/official-mamba1'));
    expect(checkpoint.config).toMatchObject({ V: ROWS, vocabulary: REAL });
    bare = createModel(withRows(checkpoint, REAL, new Float32Array()));
    // Rows along the last position's stream give logits far above all others.
    const normed = bare.runWithCache([TOKENS], { names: ['hook_norm'] }).cache.get('hook_norm');
    const last = (normed as tf.Tensor).dataSync<'float32'>().slice(-checkpoint.config.d);
    padded = createModel(withRows(checkpoint, ROWS, last));
    const loudest = [...(padded.forward([TOKENS], { logits: 'last' }).dataSync() as Float32Array)];
    expect(loudest.indexOf(Math.max(...loudest))).toBe(REAL);
  });

  it('have no part in any statistic of a lens, nor among its strongest tokens', () => {
    const read = (model: Model) =>
      lensOf(model, residualsOf(model, [TOKENS]), { targets: [7], candidates: [[1, 2, 7]], topK: 4 });
    expect(read(padded)).toEqual(read(bare));
    expect(() => lensOf(padded, residualsOf(padded, [TOKENS]), { targets: [REAL] })).toThrow(InputError);
  });

  it('are never chosen, ranked or named when a text is continued', () => {
    const next = (model: Model) => {
      const steps = generationSteps(model, [TOKENS], { maxNewTokens: 1 });
      const step = steps.next();
      if (step.done) throw new Error('no step');
      const { chosen, logits } = step.value;
      const found = { chosen, ...nextToken(logits[0], chosen[0], 200) };
      steps.return({ tokens: [] });
      return found;
    };
    expect(next(padded)).toEqual(next(bare));
    expect(next(padded).alternatives).toHaveLength(REAL);
    for (const sampling of [undefined, { temperature: 2, seed: 5 }]) {
      const write = (model: Model) => {
        const { tokens, state } = generate(model, [TOKENS], { maxNewTokens: 12, sampling });
        if (state) disposeState(state);
        return tokens;
      };
      expect(write(padded)).toEqual(write(bare));
    }
  });

  it('have no part in what a tuned lens is fitted to', () => {
    const losses = (model: Model) => {
      const trainer = createTunedLensTrainer(model, [TOKENS], { ...TUNED_LENS_DEFAULTS, tokensPerStep: 6, steps: 2 });
      trainer.step();
      return trainer.step().losses;
    };
    expect(losses(padded)).toEqual(losses(bare));
  });

  it('have no part in what a causal test reads', () => {
    const read = (model: Model) => ablation(model, { tokens: TOKENS, target: 7, unit: 'block', method: 'zero' });
    expect(read(padded)).toEqual(read(bare));
  });
});
