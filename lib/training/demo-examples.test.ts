import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitOf } from '@/lib/data/retrieval';
import { retrievalVocabulary, splitWords, wordTokenizer } from '@/lib/data/word-tokenizer';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { modelConfigOf, parseTrainingConfig } from './config';
import { DEMO, TRAINING_LENGTH } from './demo-config';
import { type DemoExample, demoExamples } from './demo-examples';
import { initialCheckpoint } from './initialise';

const tokenizer = wordTokenizer(retrievalVocabulary());

describe('the pair', () => {
  const [plain, twin] = DEMO.map((json) => {
    const config = modelConfigOf(parseTrainingConfig(json), tokenizer.words.length);
    return initialCheckpoint(config, new Random(1), json.name).parameterCount;
  });

  // The twin's second B and C are what the paper's own pair differs by, too.
  it('has nearly equal budgets, and each fits in 8 MB', () => {
    expect(Math.abs(twin / plain - 1)).toBeLessThan(0.1);
    expect(4 * Math.max(plain, twin)).toBeLessThan(8e6);
  });

  it('differs in the model alone', () => {
    const [{ name: _a, model: _b, ...first }, { name: _c, model: _d, ...second }] = DEMO;
    expect(second).toEqual(first);
  });
});

describe('demoExamples', () => {
  let model: Model;
  let examples: DemoExample[];
  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
    const sizes = { hidden_size: 8, num_hidden_layers: 1, layers: 'mamba2', state_size: 2, head_dim: 8 };
    const config = modelConfigOf(parseTrainingConfig({ model: sizes, steps: 1 }), tokenizer.words.length);
    model = createModel(initialCheckpoint(config, new Random(1), 'untrained'));
    examples = demoExamples([model], tokenizer, 3);
  });
  afterAll(() => model.dispose());

  it('has held-out prompts of both questions, short and twice the training length', () => {
    expect(new Set(examples.map(({ id }) => id)).size).toBe(examples.length);
    const stories = examples.filter(({ id }) => id !== 'free-text');
    expect(stories.length).toBeGreaterThanOrEqual(6);
    for (const { prompt, target, candidates, id } of stories) {
      expect(splitOf(prompt.slice(0, prompt.indexOf(' Where is')))).not.toBe('train');
      expect(prompt.includes('Where is the')).toBe(id.startsWith('object'));
      expect(candidates).toContain(target);
    }
    const sentences = stories.map(({ prompt }) => prompt.split('.').length - 1);
    expect(Math.min(...sentences)).toBeLessThan(TRAINING_LENGTH);
    expect(Math.max(...sentences)).toBe(2 * TRAINING_LENGTH);
  });

  it('points at one whole sentence that holds the target', () => {
    for (const { prompt, needle, target } of examples) {
      const sentence = prompt.slice(...needle);
      expect(sentence).toMatch(/^[A-Z][^.]*\.$/);
      expect(splitWords(sentence).map(({ text }) => text)).toContain(target);
    }
  });

  it('stays inside the vocabulary', () => {
    for (const { prompt, target, candidates } of examples)
      expect(tokenizer.encode([prompt, target, ...candidates].join(' '))).not.toContain(0);
  });

  it('says that an untrained model does not answer', () => {
    expect(examples.filter(({ description }) => description.includes('Neither')).length).toBeGreaterThan(3);
  });
});
