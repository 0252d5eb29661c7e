import { describe, expect, it } from 'vitest';
import { Recent } from './recent';

describe('Recent', () => {
  it('gives the same thing for the same parts', () => {
    const recent = new Recent<object>(2);
    const data = new Float32Array(1);
    const first = recent.recall([data, 1], () => ({}));
    expect(recent.recall([data, 2], () => ({}))).not.toBe(first);
    expect(recent.recall([data, 1], () => ({}))).toBe(first);
    expect(recent.recall([new Float32Array(1), 1], () => ({}))).not.toBe(first);
    expect(recent.recall([data], () => ({}))).not.toBe(first);
  });

  it('forgets what was not asked for longest', () => {
    const recent = new Recent<string>(2);
    const made: string[] = [];
    const ask = (name: string) =>
      recent.recall([name], () => {
        made.push(name);
        return name;
      });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) ask(name);
    expect(made).toEqual(['a', 'b', 'c', 'b']);
  });
});
