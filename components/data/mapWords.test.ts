import { describe, expect, it } from 'vitest';
import { INITIAL_SELECTION } from '../state/selection';
import { mapWords, thumbnailWords } from './mapWords';
import type { View } from './view';

const block = (branches: readonly string[], heads = 4) => ({ branches, heads, channels: 32 });
const viewOf = (...blocks: readonly ReturnType<typeof block>[]) =>
  ({ layer: 0, models: [{ model: { blocks } }] }) as unknown as View;
const PLAIN = viewOf(block(['single']));
const DIFFERENTIAL = viewOf(block(['single']), block(['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff']));
const choices = (patch: Partial<typeof INITIAL_SELECTION> = {}) => ({ ...INITIAL_SELECTION, ...patch });

describe('what maps are of, in words', () => {
  it('names form, reduction and what is left out', () => {
    expect(mapWords(choices(), PLAIN)).toBe('S6 α, signed mean over heads');
    expect(
      mapWords(choices({ form: 'block', reduction: 'max', without: ['gate'] }), viewOf(block(['single'], 0))),
    ).toBe('block, largest |·| over channels, no gate');
    expect(mapWords(choices({ form: 'logit', reduction: 'max' }), PLAIN)).toBe('logit contribution');
    expect(mapWords(choices({ reduction: 'one' }), PLAIN)).toBe('S6 α, one head');
  });

  it('says of small maps which branch they are of, on which scale, and that they are no products', () => {
    expect(thumbnailWords(choices(), PLAIN)).toBe('S6 α, signed mean over heads · one scale for all');
    expect(thumbnailWords(choices({ branch: 'mixer_1', values: 'log' }), DIFFERENTIAL)).toBe(
      'S6 α, signed mean over heads, mixer 1 · logarithmic · one scale for all',
    );
    expect(thumbnailWords(choices({ span: 'norm' }), PLAIN)).toBe(
      'S6 α, signed mean over heads · one scale for all · each layer by itself, before they are multiplied',
    );
  });
});
