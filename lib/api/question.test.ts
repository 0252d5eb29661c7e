import { describe, expect, it } from 'vitest';
import type { AnalysisRequestInput } from './causal';
import { familyOf, questionOf } from './question';

const knockout = {
  kind: 'knockout',
  model: 'm',
  prompt: 'Mary left',
  target: 'Mary',
  foil: 'John',
} as const satisfies AnalysisRequestInput;

describe('the name of a question', () => {
  it('is the same whatever order the fields have and whether defaults are said', () => {
    const { kind, ...rest } = knockout;
    expect(questionOf({ ...rest, reads: 'scan', together: false, queries: 'later', kind })).toBe(questionOf(knockout));
  });

  it('differs with every field', () => {
    const asked: AnalysisRequestInput[] = [
      knockout,
      { ...knockout, prompt: 'left Mary' },
      { ...knockout, prompt: 'Mary lefu' },
      { ...knockout, model: 'n' },
      { ...knockout, target: 'John', foil: 'Mary' },
      { ...knockout, layers: [0] },
      { ...knockout, position: 1 },
      { ...knockout, spans: [[0, 1]] },
      { ...knockout, spans: [[0, 2]] },
      { kind: 'cancellation_batch', model: 'm', examples: 'demo:25' },
      { kind: 'cancellation_batch', model: 'm', examples: 'demo:26' },
    ];
    expect(new Set(asked.map(questionOf)).size).toBe(asked.length);
  });

  it('says what kind of question it is', () => {
    expect(familyOf(questionOf(knockout))).toBe('knockout.m');
    expect(familyOf(questionOf({ ...knockout, spans: [[0, 1]] }))).toBe('knockout.spans.m');
    expect(familyOf(questionOf({ kind: 'snr', models: ['a.1', 'b'], examples: 'demo:1' }))).toBe('snr.a.1.b');
  });

  it('does not collide over thousands of near questions', () => {
    const names = Array.from({ length: 3000 }, (_, k) => questionOf({ ...knockout, prompt: `Mary ${k}` }));
    expect(new Set(names).size).toBe(names.length);
  });
});
