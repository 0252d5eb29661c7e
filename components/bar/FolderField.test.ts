import { describe, expect, it } from 'vitest';
import { foundIn } from './FolderField';

describe('foundIn', () => {
  const models = (...names: string[]) => names.map((name) => ({ name })) as Parameters<typeof foundIn>[0]['models'];

  it('names what can be used and what cannot', () => {
    expect(foundIn({ models: models('a', 'b'), unreadable: [] })).toBe('Found a, b.');
    expect(foundIn({ models: [], unreadable: [{ name: 'c', problem: 'It has no weights.' }] })).toBe(
      'Found no model that can be used. Not usable: c; the list says why.',
    );
  });
});
