import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-eval-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('eval score', () => {
  const predictions = 'lib/evaluation/testing/predictions.jsonl';

  it('prints both scores of every row in order, and of every cell', async () => {
    const { code, out } = await outcomeOf('eval', 'score', '--predictions', predictions, '--resamples', '20', '--json');
    expect(code).toBe(0);
    const { n, rows, strict_correct } = JSON.parse(out);
    expect([n, rows.length, strict_correct]).toEqual([120, 120, 60]);
    expect(rows[0]).toEqual({ strict: false, first: true });
    const shown = await outcomeOf('eval', 'score', '--predictions', predictions, '--resamples', '20');
    expect(shown.out).toContain('all 120 predictions: strict 50.00 %, first answer 50.00 %');
  });

  it('refuses what cannot be scored in one sentence', async () => {
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, '{"task": "qa99", "target": "a", "output": "a", "question": ""}\n');
    for (const [file, sentence] of [
      [bad, 'There is no task "qa99": tasks are qa1 to qa20.'],
      [join(folder, 'none.jsonl'), 'cannot be read (ENOENT).'],
    ]) {
      const { code, err, out } = await outcomeOf('eval', 'score', '--predictions', file);
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(sentence);
    }
    expect((await outcomeOf('eval', 'score')).code).toBe(2);
  });
});
