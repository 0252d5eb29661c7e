import { describe, expect, it } from 'vitest';
import { moveSpan } from './edit';

describe('moveSpan', () => {
  const text = 'Mary went home . Mary sat .';

  it('follows its words when text is put before them', () => {
    expect(moveSpan(text, `John left . ${text}`, [0, 14])).toEqual([12, 26]);
  });

  it('takes the nearest of several places', () => {
    expect(moveSpan(text, text, [17, 21])).toEqual([17, 21]);
    expect(moveSpan(text, 'Mary . Mary sat .', [17, 21])).toEqual([7, 11]);
  });

  it('is gone when its words are gone', () => {
    expect(moveSpan(text, 'John sat .', [0, 14])).toBeNull();
    expect(moveSpan(text, text, null)).toBeNull();
  });
});
