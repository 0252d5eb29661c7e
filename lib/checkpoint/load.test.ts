import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCheckpoint } from './load';
import { readSafetensors } from './safetensors';

const models = join(process.cwd(), '../shared/fixtures/models');
const cases = existsSync(models) ? readdirSync(models) : [];

interface Case {
  readonly tokens: number[][];
  readonly blocks: string[];
  readonly lambda_init: Record<string, number>;
}

describe.skipIf(cases.length === 0)('every checkpoint of the shared fixtures (../shared is needed)', () => {
  it.each(cases)('%s', async (name) => {
    const folder = join(models, name);
    const expected = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;
    const { config, tensors } = await loadCheckpoint(folder);
    expect(config.blocks.map(({ kind }) => kind)).toEqual(expected.blocks);
    for (const [key, value] of Object.entries(expected.lambda_init)) {
      const block = config.blocks[Number(key.split('.')[1])];
      if (block.kind !== 'diff_s6') expect(block.lambdaInit).toBeCloseTo(value, 12);
    }
    const answers = await readSafetensors(join(folder, 'expected.safetensors'));
    const embed = answers.get('hook_embed');
    const embedding = tensors.get('backbone.embeddings.weight');
    const { d } = config;
    expected.tokens.flat().forEach((token, row) => {
      const want = embed?.data.slice(row * d, (row + 1) * d);
      expect(embedding?.data.slice(token * d, (token + 1) * d)).toEqual(want);
    });
    expect(answers.get('hook_logits')?.shape.at(-1)).toBe(config.V);
  });
});
