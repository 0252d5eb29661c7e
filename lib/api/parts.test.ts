import { describe, expect, it } from 'vitest';
import { partNamed } from './parts';

describe('the name of a part', () => {
  it.each([
    ['2', { layer: 2, unit: 'block' }],
    ['2.mixer_1', { layer: 2, unit: 'mixer', mixer: 'mixer_1' }],
    ['0.head.3', { layer: 0, unit: 'head', index: 3 }],
    ['11.mixer_2.channel.40', { layer: 11, unit: 'channel', mixer: 'mixer_2', index: 40 }],
  ])('%s', (name, part) => {
    expect(partNamed(name)).toEqual(part);
  });

  it.each(['', 'x', '2.', '2.mixer_3', '2.head', '-1', '2.mixer_1.head.x'])('is not "%s"', (name) => {
    expect(partNamed(name)).toBeUndefined();
  });
});
