import { expect, it } from 'vitest';
import { problems } from './docs-experiments.mjs';

it('docs/experiments.md says of every committed report what it found', () => {
  expect(problems()).toEqual([]);
});
