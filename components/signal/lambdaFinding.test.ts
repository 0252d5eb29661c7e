import { expect, it } from 'vitest';
import { largestLambda } from './lambdaFinding';

it('finds the block with the largest λ, and nothing where there is none', () => {
  const blocks = [
    { lambda: null, lambdaInit: null },
    { lambda: 0.4, lambdaInit: 0.3 },
    { lambda: 0.7, lambdaInit: 0.5 },
    { lambda: 0.6, lambdaInit: 0.6 },
  ];
  expect(largestLambda(blocks)).toEqual({ layer: 2, lambda: 0.7, from: 0.5 });
  expect(largestLambda(blocks.slice(0, 1))).toBeUndefined();
  expect(largestLambda([{ lambda: null, lambdaInit: 0.3 }])).toBeUndefined();
});
