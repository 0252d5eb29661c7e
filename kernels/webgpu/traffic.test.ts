import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { selectiveScan, selectiveScanWithState, silu } from '../ops';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';
import { dispatchesOf } from './traffic';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

describe('what a computation asks of a GPU', needs(adapter, ADAPTER), () => {
  beforeAll(() => tf.setBackend('webgpu'));

  it('counts the bytes of an elementwise program and the operations of a product', () => {
    const [a, b] = [tf.zeros([64, 48]), tf.zeros([80, 48])];
    const programs = dispatchesOf(() => tf.dispose([silu(a), tf.matMul(a, b, false, true)]));
    expect(programs[0]).toEqual({ name: 'statescope silu', bytes: 2 * 4 * 64 * 48, flops: 0 });
    const product = programs.slice(1).find(({ flops }) => flops > 0);
    expect(product?.flops).toBe(2 * 64 * 48 * 80);
    expect(product?.bytes).toBe(4 * (64 * 48 + 48 * 80 + 64 * 80));
  });

  it('sees that a scan of one chunk is one program, and a longer one three', () => {
    const scan = (L: number) => {
      const [sequence, states] = [tf.zeros<tf.Rank.R3>([1, L, 8]), tf.zeros<tf.Rank.R3>([1, L, 4])];
      const inputs = { x: sequence, delta: sequence, A: tf.zeros<tf.Rank.R2>([8, 4]), B: states, C: states };
      return dispatchesOf(() => selectiveScan(inputs).dispose()).map(({ name }) => name);
    };
    expect(scan(32)).toEqual(['statescope selective scan']);
    expect(scan(33)).toHaveLength(3);
  });

  it('counts of an array of which a section is read that section', () => {
    const [sequence, states] = [tf.zeros<tf.Rank.R3>([1, 100, 8]), tf.zeros<tf.Rank.R3>([1, 100, 4])];
    const inputs = { x: sequence, delta: sequence, A: tf.zeros<tf.Rank.R2>([8, 4]), B: states, C: states };
    const programs = dispatchesOf(() => tf.dispose(Object.values(selectiveScanWithState(inputs))));
    const copied = programs.filter(({ name }) => name === 'statescope sum parts').map(({ bytes }) => bytes);
    expect(copied).toEqual([2 * 4 * 8 * 4]);
  });

  it('computes again afterwards', () => {
    dispatchesOf(() => tf.zeros([4]).add(1).dispose());
    expect([...tf.ones([2000]).add(1).dataSync().subarray(0, 2)]).toEqual([2, 2]);
  });
});
