import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOMS = ['app', 'components', 'kernels', 'lib', 'scripts', 'docs'];
const TEXT = /\.(ts|tsx|mjs|cc|h|md)$/;

/** "equations A4", "equations C2, C3", "equations A1–A5": where it stands, and each section that it names. */
function citations(): { readonly file: string; readonly section: string }[] {
  const files = ROOMS.flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((name) => TEXT.test(name))
      .map((name) => join(room, name)),
  );
  return files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\bequations ([A-F]\d?b?(?:(?:, | and |–)[A-F]\d?b?)*)(?![\w])/g)].flatMap(
      ([, sections]) => sections.split(/, | and |–/).map((section) => ({ file, section })),
    ),
  );
}

it('finds every section of docs/equations.md that a comment cites', () => {
  const headings = readFileSync('docs/equations.md', 'utf8').matchAll(/^##+ ([A-F]\d?b?)\. /gm);
  const sections = new Set([...headings].map(([, section]) => section));
  const cited = citations();
  expect(cited.length).toBeGreaterThan(70);
  expect(cited.filter(({ section }) => !sections.has(section))).toEqual([]);
});
