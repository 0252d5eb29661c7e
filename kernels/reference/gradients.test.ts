import { describe, expect, it } from 'vitest';
import {
  causalConv1d,
  causalConv1dGrad,
  crossEntropy,
  crossEntropyGrad,
  rmsNorm,
  rmsNormGrad,
  selectiveScan,
  selectiveScanGrad,
  selectiveScanWithState,
  silu,
  siluGrad,
  ssdScan,
  ssdScanGrad,
  ssdScanWithState,
} from '.';
import {
  CONV_CASES,
  convInput,
  lossInput,
  NORM_CASES,
  normInput,
  SCAN_CASES,
  SSD_CASES,
  scanInput,
  ssdInput,
} from './cases';
import { Random } from './random';
import { dot, expectClose, finiteDifferences } from './test-support';

/** Compares the gradients of Σ dy·f(input) with central differences in every array of `input` that `grads` names. */
function checkGradients<T extends object>(
  input: T,
  forward: (input: T) => Float64Array,
  backward: (input: T, dy: Float64Array) => object,
) {
  const dy = new Random(99).normal(forward(input).length);
  const grads = Object.entries(backward(input, dy)).filter(([, values]) => values !== undefined);
  expect(grads.length).toBeGreaterThan(0);
  for (const [name, analytic] of grads) {
    const values = (input as Record<string, Float64Array>)[name];
    expectClose(
      analytic,
      finiteDifferences(values, () => dot(dy, forward(input))),
      1e-7,
      `d${name}`,
    );
  }
}

/** A scan's y and last state as one array, so that one `dy` reaches both. */
const joined =
  <T>(scan: (input: T) => { y: Float64Array; state: Float64Array }) =>
  (input: T) => {
    const { y, state } = scan(input);
    return Float64Array.of(...y, ...state);
  };

/** The gradient of `joined`: the last `size` values belong to the state. */
const split =
  <T>(gradient: (input: T, dy: Float64Array, dState: Float64Array) => object, size: number) =>
  (input: T, dy: Float64Array) =>
    gradient(input, dy.subarray(0, dy.length - size), dy.subarray(dy.length - size));

describe('reference gradients equal finite differences', () => {
  it.each(SCAN_CASES)('selectiveScan %o', (c) =>
    c.final
      ? checkGradients(scanInput(c), joined(selectiveScanWithState), split(selectiveScanGrad, c.batch * c.E * c.N))
      : checkGradients(scanInput(c), selectiveScan, selectiveScanGrad),
  );
  it.each(SSD_CASES)('ssdScan %o', (c) =>
    c.final
      ? checkGradients(ssdInput(c), joined(ssdScanWithState), split(ssdScanGrad, c.batch * c.H * c.P * c.N))
      : checkGradients(ssdInput(c), ssdScan, ssdScanGrad),
  );
  it.each(CONV_CASES)('causalConv1d %o', (c) => checkGradients(convInput(c), causalConv1d, causalConv1dGrad));
  it.each(NORM_CASES)('rmsNorm %o', (c) => checkGradients(normInput(c), rmsNorm, rmsNormGrad));

  it('silu', () =>
    checkGradients(
      { x: Float64Array.of(-80, -2, -0.1, 0, 0.7, 3, 80) },
      ({ x }) => silu(x),
      ({ x }, dy) => ({ x: siluGrad(x, dy) }),
    ));

  it.each([
    [1, 2],
    [6, 5],
  ])('crossEntropy of %i rows and %i classes', (rows, V) =>
    checkGradients(
      lossInput(rows, V, 3),
      (input) => Float64Array.of(crossEntropy(input).loss),
      (input, dy) => ({ logits: crossEntropyGrad(input, crossEntropy(input).logSumExp, dy[0]) }),
    ),
  );

  it('gives 0 loss and gradient where no row has a label, and refuses labels beyond V', () => {
    const input = { rows: 2, V: 3, logits: new Float64Array(6), labels: Int32Array.of(-1, -100) };
    expect(crossEntropy(input).loss).toBe(0);
    expect([...crossEntropyGrad(input, crossEntropy(input).logSumExp, 1)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(() => crossEntropy({ ...input, labels: Int32Array.of(0, 3) })).toThrow(
      'label 3 of row 1 is not below V = 3',
    );
  });
});
