import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { beginningOf } from './begin';
import { parseTrainingConfig } from './config';

it('refuses a model that could not be saved before the first step', async () => {
  const folder = join(import.meta.dirname, '../models/testing/hybrids/granite-nope');
  const checkpoint = await loadCheckpoint(folder);
  const config = parseTrainingConfig({ from: { checkpoint: folder }, steps: 1 });
  const data = {
    cards: [],
    vocabularySize: checkpoint.config.vocabulary,
    tokenizers: [],
    start: { row: 0, read: [] },
  };
  await expect(beginningOf(config, data, async () => checkpoint)).rejects.toThrow(
    'Models with granite_mamba2 blocks are read and not written: train or convert a model without attention.',
  );
});
