import * as tf from '@tensorflow/tfjs';
import { lensStatistics } from '@/kernels/ops';
import { type Benchmark, measurement, medianMs } from './measure';
import { finish, scoped, tensor } from './operands';
import { MAMBA_130M } from './shapes';

const STREAMS = MAMBA_130M.blocks.length + 1;

/** The lens of all layers of Mamba-130m at some positions, with the eight strongest tokens. */
function lensOf(device: string, positions: number) {
  return scoped(() => {
    const { d, V } = MAMBA_130M;
    const hidden = tensor<tf.Rank.R3>([STREAMS, positions, d]);
    const head = tensor<tf.Rank.R2>([V, d]);
    const targets = Array<number>(positions).fill(0);
    const products = medianMs(() => finish(() => tf.matMul(hidden.reshape([-1, d]), head, false, true)));
    const median = medianMs(() => lensStatistics({ hidden, head }, { ids: [17], targets, topK: 8 }));
    const shape = `${STREAMS} streams, ${positions} position${positions > 1 ? 's' : ''}, d=${d}, V=${V}`;
    return measurement(
      { what: 'lens statistics', shape, device, floor: 'the products of the same logits' },
      median,
      products,
    );
  });
}

/** What do the statistics of a lens cost beside the logits that they are made of? */
export const lensBenchmark: Benchmark = { name: 'lens', run: (device) => [lensOf(device, 1), lensOf(device, 32)] };
