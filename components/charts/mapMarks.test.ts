import { describe, expect, it } from 'vitest';
import { bracketPath, flagBox, readoutPath } from './mapMarks';

describe('marks around a map', () => {
  it('cut the needle bracket at the edges and leave it out beyond them', () => {
    expect(bracketPath(10, 30, 100, 'row')).toBe('M-3,10.5h-3V29.5h3');
    expect(bracketPath(-20, 30, 100, 'column')).toBe('M0.5,3v3H29.5v-3');
    expect(bracketPath(90, 130, 100, 'row')).toBe('M-3,90.5h-3V99.5h3');
    expect(bracketPath(-20, 0, 100, 'row')).toBeUndefined();
    expect(bracketPath(100, 120, 100, 'row')).toBeUndefined();
  });

  it('show the read-out while its row is shown', () => {
    expect(readoutPath(40, 100)).toBe('M102,40l6,-4v8z');
    expect(readoutPath(-1, 100)).toBeUndefined();
    expect(readoutPath(101, 100)).toBeUndefined();
  });

  it('keep a flag under its column inside the map, and beside its row', () => {
    expect(flagBox(5, 2, 100, 'column')).toMatchObject({ x: 0, y: 108, width: 40 });
    expect(flagBox(5, 99, 100, 'column')).toMatchObject({ x: 60 });
    expect(flagBox(5, 50, 100, 'row')).toMatchObject({ x: -48, y: 42 });
    expect(flagBox(5, 101, 100, 'row')).toBeUndefined();
  });
});
