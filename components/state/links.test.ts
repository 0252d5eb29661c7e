import { describe, expect, it } from 'vitest';
import { linkOfRequest } from './links';

describe('linkOfRequest', () => {
  it('names the run and what it was asked', () => {
    const link = linkOfRequest({
      id: '12ab34cd',
      request: { models: ['x'], prompt: 'a & b', target: ' c', needle: [0, 1], position: 2 },
    });
    const query = new URLSearchParams(link.slice(2));
    expect(Object.fromEntries(query)).toEqual({
      a: 'x',
      b: 'none',
      run: '12ab34cd',
      prompt: 'a & b',
      target: ' c',
      needle: '0-1',
      position: '2',
    });
  });
});
