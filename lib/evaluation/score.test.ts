import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { labelsOf, parsePredictions, resamplingOf, score, scorePredictions, TASKS } from '.';

const stored = (name: string) => readFileSync(join('lib/evaluation/testing', name), 'utf8');
const cases = JSON.parse(stored('rule-cases.json'));

describe('scores of answers', () => {
  it('are those of the rules, corner cases included', () => {
    expect(cases.cases).toHaveLength(51);
    for (const { strict, first, ...answered } of cases.cases)
      expect({ ...answered, ...score(answered) }).toEqual({ ...answered, strict, first });
  });

  it('look for the labels of twenty tasks', () => {
    expect(Object.fromEntries(TASKS.map((task) => [task, [...(labelsOf(task) ?? [])].sort()]))).toEqual(
      Object.fromEntries(Object.entries<string[]>(cases.labels).map(([task, labels]) => [task, [...labels].sort()])),
    );
  });

  it('are those that stored predictions of the paper’s first models have, row for row', () => {
    const predictions = parsePredictions(stored('predictions.jsonl'), 'predictions.jsonl');
    const { n, rows, ...counts } = scorePredictions(predictions, () => resamplingOf(1, 50));
    expect(n).toBe(120);
    expect(rows).toEqual(predictions.map(({ strict, first }) => ({ strict, first })));
    const strict = predictions.filter((row) => row.strict).length;
    expect(counts).toMatchObject({ strict_correct: strict, strict: (100 * strict) / n });
    expect(new Set(counts.cells.map(({ task }) => task)).size).toBe(5);
    expect(counts.cells.reduce((sum, cell) => sum + cell.n, 0)).toBe(n);
  });

  it('name the line that cannot be scored', () => {
    const line = JSON.stringify({ task: 'qa1', target: 'garden', output: '', question: '' });
    expect(() => parsePredictions(`${line}\n{"task": "qa1"}`, 'p.jsonl')).toThrow(/^Line 2 of p\.jsonl: target: /);
    expect(() => parsePredictions(`${line}\n{"task"`, 'p.jsonl')).toThrow('Line 2 of p.jsonl is not JSON.');
    expect(() => parsePredictions('\n', 'p.jsonl')).toThrow(InputError);
    expect(() => score({ task: 'qa21', target: 'a', output: 'a', question: '' })).toThrow('There is no task "qa21"');
  });
});
