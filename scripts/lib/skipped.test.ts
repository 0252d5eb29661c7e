import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pageTestsOf, skippedLines, skippedUnitTests } from './skipped.mjs';

const unit = (status: string, title: string, meta = {}) => ({ status, title, meta, ancestorTitles: ['', 'a device'] });

describe('what a run of tests skipped', () => {
  it('is read from the report of the unit tests, with what each test says it needs', () => {
    const report = {
      testResults: [
        {
          name: join(process.cwd(), 'lib/a.test.ts'),
          assertionResults: [
            unit('passed', 'runs'),
            unit('failed', 'fails'),
            unit('skipped', 'adds', { needs: 'an adapter' }),
            unit('pending', 'divides'),
          ],
        },
      ],
    };
    expect(skippedUnitTests(report)).toEqual([
      { suite: 'lib/a.test.ts › a device', title: 'adds', reason: 'needs an adapter' },
      { suite: 'lib/a.test.ts › a device', title: 'divides', reason: 'no reason given' },
    ]);
    expect(skippedUnitTests(null)).toEqual([]);
  });

  it('is read from the report of the page tests, in suites within suites', () => {
    const spec = (title: string, status: string, annotations: object[] = []) => ({
      title,
      tests: [{ status, annotations }],
    });
    const report = {
      suites: [
        {
          title: 'visual.spec.ts',
          specs: [spec('opens', 'expected')],
          suites: [
            {
              title: 'dark',
              specs: [spec('looks as it did', 'skipped', [{ type: 'skip', description: 'No pictures.' }])],
            },
          ],
        },
      ],
    };
    expect(pageTestsOf(report)).toEqual([
      { suite: 'e2e/visual.spec.ts', title: 'opens', status: 'expected', reason: undefined },
      { suite: 'e2e/visual.spec.ts › dark', title: 'looks as it did', status: 'skipped', reason: 'No pictures.' },
    ]);
  });

  it('is told by what is missing: many of a suite by their number, page tests one by one', () => {
    const many = (suite: string, reason: string) =>
      Array.from({ length: 5 }, (_, k) => ({ suite, title: `test ${k}`, reason }));
    const lines = skippedLines([
      ...many('kernels/a.test.ts', 'needs an adapter'),
      { suite: 'kernels/b.test.ts', title: 'alone', reason: 'needs an adapter' },
      ...many('e2e/a.spec.ts', 'needs Chromium'),
    ]);
    expect(lines).toEqual([
      'skipped (6): needs an adapter',
      '  kernels/a.test.ts (5 tests)',
      '  kernels/b.test.ts › alone',
      'skipped (5): needs Chromium',
      ...[0, 1, 2, 3, 4].map((k) => `  e2e/a.spec.ts › test ${k}`),
    ]);
  });
});
