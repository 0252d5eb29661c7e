import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { heldOutExamples } from '@/lib/data/demo-stories';
import { retrievalVocabulary, wordTokenizer } from '@/lib/data/word-tokenizer';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { accuracy, predictions } from '@/lib/training';
import { DEMO, TRAINING_LENGTH } from '@/lib/training/demo-config';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const folderOf = (name: string) => join(FOLDER, name);
const tokenizer = wordTokenizer(retrievalVocabulary());

interface Example {
  readonly id: string;
  readonly prompt: string;
  readonly target: string;
  readonly description: string;
  readonly models?: readonly string[];
}

describe.each(DEMO.map(({ name }) => name))('%s', (name) => {
  let model: Model;
  beforeAll(async () => {
    await openDevice();
    model = createModel({ ...(await loadCheckpoint(folderOf(name))), name });
  });

  it('is small enough for git', () => {
    expect(statSync(join(folderOf(name), 'model.safetensors')).size).toBeLessThan(8e6);
  });

  it('has the vocabulary of the task', () => {
    const { model: stored } = JSON.parse(readFileSync(join(folderOf(name), 'tokenizer.json'), 'utf8'));
    expect(Object.keys(stored.vocab)).toEqual(tokenizer.words);
  });

  it('answers held-out prompts of the training length', () => {
    const examples = heldOutExamples(2024, 64, [TRAINING_LENGTH, TRAINING_LENGTH]);
    expect(accuracy(model, tokenizer, examples)).toBeGreaterThanOrEqual(0.9);
  });

  it('answers the examples that say so, and only those', () => {
    const examples = (JSON.parse(readFileSync(join(FOLDER, 'examples.json'), 'utf8')) as Example[]).filter(
      ({ id, models }) => models?.includes(name) && id !== 'free-text',
    );
    const found = predictions(model, tokenizer, examples);
    examples.forEach(({ id, target, description }, i) => {
      expect(tokenizer.words[found[i]] === target, id).toBe(description.includes(name));
    });
  });
});
