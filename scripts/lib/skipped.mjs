import { relative, sep } from 'node:path';
import { ROOT } from './root.mjs';

/**
 * @typedef {{ suite: string, title: string, reason: string }} Skipped A test that did not run: where it stands, and why.
 */

/** @returns {Skipped[]} of a report of vitest's JSON reporter. */
export const skippedUnitTests = (report) =>
  (report?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ ancestorTitles, title, meta }) => ({
        suite: [relative(ROOT, name).replaceAll(sep, '/'), ...ancestorTitles.filter(Boolean)].join(' › '),
        title,
        reason: meta?.needs ? `needs ${meta.needs}` : 'no reason given',
      })),
  );

/** Every test of a report of Playwright's JSON reporter, with how it ended and why it was skipped, if it says so. */
export function pageTestsOf(report) {
  const visit = (suite, above) => [
    ...(suite.specs ?? []).flatMap(({ title, tests }) =>
      tests.map(({ status, annotations }) => ({
        suite: above.join(' › '),
        title,
        status,
        reason: annotations?.find(({ type }) => type === 'skip')?.description,
      })),
    ),
    ...(suite.suites ?? []).flatMap((inner) => visit(inner, [...above, inner.title])),
  ];
  return (report?.suites ?? []).flatMap((file) => visit(file, [`e2e/${file.title}`]));
}

const grouped = (list, key) => {
  const groups = new Map();
  for (const each of list) groups.set(each[key], [...(groups.get(each[key]) ?? []), each]);
  return [...groups];
};

/** Suites of which more tests were skipped are told by their number, except those of the page, which are told one by one. */
const NAMED = 4;

/**
 * What was skipped, grouped by the reason.
 * @param {Skipped[]} skipped
 * @returns {string[]} lines.
 */
export function skippedLines(skipped) {
  return grouped(skipped, 'reason').flatMap(([reason, tests]) => [
    `skipped (${tests.length}): ${reason}`,
    ...grouped(tests, 'suite').flatMap(([suite, found]) =>
      found.length > NAMED && !suite.startsWith('e2e/')
        ? [`  ${suite} (${found.length} tests)`]
        : found.map(({ title }) => `  ${suite} › ${title}`),
    ),
  ]);
}
