import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { outcomeOf } from './testing';

const PAGES = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const LINE = /^ *(?:npm run -s statescope --|(?:\.\/check )?statescope) +([a-z][^\n]*)/gm;

/** Command lines of the pages that stand on a line of their own, without what is quoted in them and the remark behind. */
const lines = PAGES.flatMap((page) =>
  [
    ...readFileSync(page, 'utf8')
      .replace(/\\\n */g, ' ')
      .matchAll(LINE),
  ].map(([, line]) => ({
    page,
    line: line.replace(/'[^']*'|"[^"]*"/g, 'TEXT').replace(/ +(#|[>|] ).*$/, ''),
  })),
);

describe('command lines of the documentation', () => {
  it('are found', () => expect(lines.length).toBeGreaterThan(40));

  it.each(lines)('$page: $line', async ({ line }) => {
    const words = line.split(/\s+/);
    const [command, sub] = words;
    const own = await outcomeOf(command, '--help');
    expect(own.code, own.err).toBe(0);
    const isGroup = new RegExp(`^  ${sub}\\b`, 'm').test(own.out.split('Commands:')[1] ?? '');
    const { out } = isGroup ? await outcomeOf(command, sub, '--help') : own;
    for (const option of words.filter((word) => word.startsWith('--')))
      expect(out).toMatch(new RegExp(`${option.replace(/=.*/, '')}(?![\\w-])`));
  });
});
