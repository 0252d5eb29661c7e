import { describe, expect, it } from 'vitest';
import type { AttributionReply } from '@/lib/api/readings';
import { attributionTable, partsAt, runningSums, type Step, strongestParts, sumOf, waterfall } from './waterfall';

const reply: AttributionReply = {
  target: 3,
  position: 5,
  logit: 4,
  blocks: [1, 2.5],
  convention: 'c',
  reconstruction_error: 1e-7,
  components: [
    { block: -1, part: 'embedding', contribution: 0.5 },
    { block: 0, part: 'mixer', contribution: 1 },
    { block: 1, part: 'branch_1', contribution: 4 },
    { block: 1, part: 'minus_lambda_branch_2', contribution: -1.5 },
  ],
};

describe('waterfall', () => {
  const steps = waterfall(reply, 3);

  it('begins each step where the last one ended, and closes with the logit', () => {
    expect(steps.map(({ layer, from, to }) => [layer, from, to])).toEqual([
      [-1, 0, 0.5],
      [0, 0.5, 1.5],
      [1, 1.5, 5.5],
      [1, 5.5, 4],
      [3, 0, 4],
    ]);
    expect(steps[3]).toMatchObject({ part: 'minus_lambda_branch_2', place: 1, places: 2 });
    expect(sumOf(reply)).toBe(4);
  });

  it('sums by column, the output last, nothing for blocks that the model lacks', () => {
    expect(runningSums(steps, 3)).toEqual([0.5, 1.5, 4, undefined, 4]);
    expect([...partsAt(steps, 1)]).toEqual([
      ['branch_1', 4],
      ['minus_lambda_branch_2', -1.5],
    ]);
  });

  it('is a table by layer and part over all models', () => {
    const other = waterfall({ ...reply, components: reply.components.slice(0, 2) }, 3);
    const { columns, rows } = attributionTable(
      't',
      [
        { slot: 'A', steps },
        { slot: 'B', steps: other },
      ],
      3,
    );
    expect(columns).toEqual(['layer', 'part', 'contribution, logits A', 'contribution, logits B']);
    expect(rows).toEqual([
      ['embedding', 'embedding', 0.5, 0.5],
      ['layer 0', 'block', 1, 1],
      ['layer 1', 'branch 1', 4, null],
      ['layer 1', '−λ · branch 2', -1.5, null],
      ['output', 'logit', 4, 4],
    ]);
  });
});

it('finds the parts that raise and lower the logit most, and none where none does', () => {
  const step = (layer: number, part: Step['part'], from: number, to: number): Step => ({
    layer,
    part,
    from,
    to,
    place: 0,
    places: 1,
  });
  const steps = [step(-1, 'embedding', 0, 1), step(0, 'mixer', 1, 5), step(1, 'mixer', 5, 3), step(2, 'logit', 0, 9)];
  expect(strongestParts(steps)).toEqual({ raises: steps[1], lowers: steps[2] });
  expect(strongestParts([steps[0], steps[3]])).toEqual({ raises: steps[0], lowers: undefined });
});
