import { describe, expect, it } from 'vitest';
import { parseCandidates } from './edit';

describe('parseCandidates', () => {
  it('takes words between commas and lines, each once', () => {
    expect(parseCandidates(' garden, kitchen,\n\nNew York , garden,')).toEqual(['garden', 'kitchen', 'New York']);
    expect(parseCandidates('  ')).toEqual([]);
  });
});
