import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { registerPortable } from '../portable/register';
import {
  blockAttention,
  blockColumns,
  blockStatistics,
  causalConv1d,
  crossEntropy,
  OperandError,
  rmsNorm,
  s6Attention,
  selectiveScan,
  silu,
  ssdAttention,
  ssdScan,
} from '.';

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerPortable('cpu');
});

const scan = (L: number, E: number, N: number) => ({
  x: tf.ones<tf.Rank.R3>([1, L, E]),
  delta: tf.ones<tf.Rank.R3>([1, L, E]),
  A: tf.ones<tf.Rank.R2>([E, N]),
  B: tf.ones<tf.Rank.R3>([1, L, N]),
  C: tf.ones<tf.Rank.R3>([1, L, N]),
});

const ssd = (H: number, G: number) => ({
  x: tf.ones<tf.Rank.R4>([1, 2, H, 3]),
  delta: tf.ones<tf.Rank.R3>([1, 2, H]),
  A: tf.ones<tf.Rank.R1>([H]),
  B: tf.ones<tf.Rank.R4>([1, 2, G, 2]),
  C: tf.ones<tf.Rank.R4>([1, 2, G, 2]),
});

const s6Scan = () => ({
  delta: tf.ones<tf.Rank.R2>([2, 3]),
  A: tf.ones<tf.Rank.R2>([3, 4]),
  B: tf.ones<tf.Rank.R2>([2, 4]),
  C: tf.ones<tf.Rank.R2>([2, 4]),
});

const fold = () => ({
  source: tf.ones<tf.Rank.R2>([2, 3]),
  taps: tf.ones<tf.Rank.R2>([3, 4]),
  target: tf.ones<tf.Rank.R2>([2, 3]),
});

describe('operations refuse inputs that do not fit', () => {
  const refusals: [string, () => unknown, string][] = [
    [
      'x rank',
      () => selectiveScan({ ...scan(2, 3, 4), x: tf.ones([2, 3]) as never }),
      'selectiveScan: x has shape [2,3]; it must have the axes [B,L,E]',
    ],
    [
      'B length',
      () => selectiveScan({ ...scan(2, 3, 4), B: tf.ones([1, 3, 4]) }),
      'selectiveScan: B has shape [1,3,4]; it must be [B,L,N] = [1,2,4] to fit the other inputs',
    ],
    [
      'D size',
      () => selectiveScan({ ...scan(2, 3, 4), D: tf.ones([4]) }),
      'selectiveScan: D has shape [4]; it must be [E] = [3]',
    ],
    [
      'state size',
      () => selectiveScan({ ...scan(2, 3, 4), state: tf.ones([1, 4, 3]) }),
      'selectiveScan: state has shape [1,4,3]; it must be [B,E,N] = [1,3,4]',
    ],
    [
      'state of heads',
      () => ssdScan({ ...ssd(2, 1), state: tf.ones([1, 2, 2, 3]) }),
      'ssdScan: state has shape [1,2,2,3]; it must be [B,H,P,N] = [1,2,3,2]',
    ],
    ['z size', () => selectiveScan({ ...scan(2, 3, 4), z: tf.ones([1, 2, 4]) }), 'selectiveScan: z has shape [1,2,4]'],
    [
      'x dtype',
      () => selectiveScan({ ...scan(2, 3, 4), x: tf.ones([1, 2, 3], 'int32') }),
      'selectiveScan: x is int32; it must be float32',
    ],
    ['groups of heads', () => ssdScan(ssd(3, 2)), 'ssdScan: G = 2 must be a whole number that divides 3'],
    ['head count', () => ssdScan({ ...ssd(4, 2), A: tf.ones([3]) }), 'ssdScan: A has shape [3]; it must be [H] = [4]'],
    [
      'weight',
      () => causalConv1d(tf.ones([1, 2, 3]), tf.ones([3, 2, 4]), null),
      'causalConv1d: weight has shape [3,2,4]; it must be [E,1,K] = [3,1,4]',
    ],
    [
      'bias',
      () => causalConv1d(tf.ones([1, 2, 3]), tf.ones([3, 1, 4]), tf.ones([2])),
      'causalConv1d: bias has shape [2]',
    ],
    [
      'norm weight',
      () => rmsNorm(tf.ones([2, 3]), tf.ones([2]), { epsilon: 1e-5 }),
      'rmsNorm: weight has shape [2]; it must be [E] = [3]',
    ],
    [
      'norm groups',
      () => rmsNorm(tf.ones([2, 3]), tf.ones([3]), { epsilon: 1e-5, groups: 2 }),
      'rmsNorm: groups = 2 must be a whole number that divides 3',
    ],
    [
      'gate',
      () => rmsNorm(tf.ones([2, 3]), tf.ones([3]), { epsilon: 1e-5, gate: tf.ones([3, 2]) }),
      'rmsNorm: gate has shape [3,2]',
    ],
    ['scalar', () => rmsNorm(tf.scalar(1), tf.ones([1]), { epsilon: 1e-5 }), 'rmsNorm: x is a scalar'],
    ['silu dtype', () => silu(tf.ones([2], 'int32')), 'silu: x is int32; it must be float32'],
    [
      'labels dtype',
      () => crossEntropy(tf.ones([2, 3]), tf.ones([2])),
      'crossEntropy: labels is float32; it must be int32',
    ],
    [
      'label value',
      () => crossEntropy(tf.ones([2, 3]), tf.tensor1d([0, 3], 'int32')),
      'label 3 of row 1 is not below V = 3',
    ],
    [
      'channel',
      () =>
        s6Attention(
          { delta: tf.ones([2, 3]), A: tf.ones([3, 4]), B: tf.ones([2, 4]), C: tf.ones([2, 4]) },
          { reduce: { channel: 3 } },
        ),
      's6Attention: channel = 3 must be a whole number from 0 to 2',
    ],
    [
      'head',
      () =>
        ssdAttention(
          { delta: tf.ones([2, 3]), A: tf.ones([3]), B: tf.ones([2, 1, 4]), C: tf.ones([2, 1, 4]) },
          { reduce: { head: -1 } },
        ),
      'ssdAttention: head = -1 must be a whole number from 0 to 2',
    ],
    [
      'taps of a folded map',
      () => blockAttention({ kind: 'S6', scan: s6Scan() }, { ...fold(), taps: tf.ones([2, 4]) }, 'sum'),
      'blockAttention: taps has shape [2,4]; it must be [E,K] = [3,4]',
    ],
    [
      'weight of a folded map',
      () => blockStatistics({ kind: 'S6', scan: s6Scan() }, { ...fold(), weight: tf.ones([2, 4]) }, 8),
      'blockStatistics: weight has shape [2,4]; it must be [L,E] = [2,3]',
    ],
    [
      'columns of a folded map',
      () => blockColumns({ kind: 'S6', scan: s6Scan() }, fold(), { first: 1, count: 2 }),
      'blockColumns: the sources 1 to 2 are not among 2 tokens',
    ],
    [
      'heads of a folded map',
      () =>
        blockAttention(
          {
            kind: 'Ssd',
            scan: { delta: tf.ones([2, 2]), A: tf.ones([2]), B: tf.ones([2, 1, 4]), C: tf.ones([2, 1, 4]) },
          },
          fold(),
          'sum',
        ),
      'blockAttention: H = 2 must be a whole number that divides 3',
    ],
  ];

  it.each(refusals)('%s', (_, run, message) => {
    expect(run).toThrow(message);
  });

  it('says so with an error type of its own', () => {
    expect(() => silu(tf.ones([2], 'int32'))).toThrow(OperandError);
  });
});
