import { beforeAll, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { answerLogprob, lensOf, residualsOf } from '.';
import { bundledCase, loadModel } from './testing/fixtures';

const PROMPT = [5, 40, 3, 77];
const ANSWER = [12, 9, 30];

let model: Model;
beforeAll(async () => {
  await openDevice();
  model = await loadModel(bundledCase('official-mamba1'));
});

/** ln p of the next token through the model's own output. */
const next = (tokens: readonly number[], target: number) => {
  const request = { targets: [target], positions: [tokens.length - 1] };
  return lensOf(model, residualsOf(model, [tokens]), request).statistics.target_logprob.at(-1) as number;
};

it('adds the tokens of an answer, each given those before it', () => {
  const steps = ANSWER.map((id, k) => next([...PROMPT, ...ANSWER.slice(0, k)], id));
  expect(answerLogprob(model, PROMPT, ANSWER)).toBeCloseTo(steps[0] + steps[1] + steps[2], 4);
  expect(answerLogprob(model, PROMPT, ANSWER.slice(0, 1))).toBeCloseTo(steps[0], 4);
});

it('refuses an answer without tokens, and padding', () => {
  expect(() => answerLogprob(model, PROMPT, [])).toThrow(/no tokens/);
  expect(() => answerLogprob(model, PROMPT, [model.config.vocabulary])).toThrow(/outside the vocabulary/);
});
