import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import { answerLogprob } from '@/lib/analysis';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { createModel, type Model, nextTokenLoss, tokenLosses } from '.';
import { PIECE } from './pieces';

const devices = isAvailable ? (['native', 'cpu'] as const) : (['cpu'] as const);

describe.each(devices)('losses of single tokens on %s', (device) => {
  let model: Model;
  let padded: Model;

  beforeAll(async () => {
    await openDevice({ device });
    const open = async (name: string) => createModel(await loadCheckpoint(join('lib/models/testing/cases', name)));
    model = await open('hf-mamba1');
    padded = await open('official-mamba1');
  });

  const row = (seed: number, L: number, V: number) => {
    const random = new Random(seed);
    return Array.from({ length: L }, () => random.integer(0, V - 1));
  };

  it('have the mean that training minimises', () => {
    const rows = [row(1, 9, model.config.V), row(2, 9, model.config.V)];
    const own = tokenLosses(model, rows);
    const mean = nextTokenLoss(model, model.tokenTensor(rows)).dataSync()[0];
    expect(own).toHaveLength(16);
    expect(own.reduce((sum, loss) => sum + loss, 0) / 16).toBeCloseTo(mean, 4);
  });

  it('leave the padding of the vocabulary out, as scores of answers do', () => {
    const tokens = row(3, 8, padded.config.vocabulary);
    expect(padded.config.V).toBeGreaterThan(padded.config.vocabulary);
    const own = tokenLosses(padded, [tokens]);
    expect(own[5]).toBeCloseTo(-answerLogprob(padded, tokens.slice(0, 6), [tokens[6]]), 4);
  });

  it('are those of a whole pass in a text that is read in pieces', () => {
    const tokens = row(4, PIECE + 20, model.config.V);
    const own = tokenLosses(model, [tokens]);
    const logits = model.forward([tokens], { logits: [PIECE + 5] }) as tf.Tensor;
    const values = logits.dataSync<'float32'>();
    const top = Math.max(...values);
    const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
    expect(own).toHaveLength(PIECE + 19);
    expect(own[PIECE + 5]).toBeCloseTo(Math.log(total) + top - values[tokens[PIECE + 6]], 4);
  });
});
