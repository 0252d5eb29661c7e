import * as tf from '@tensorflow/tfjs';
import { rmsNorm } from '@/kernels/ops';
import { silent } from '../tap';
import { type DifferentialBlock, type MixerConfig, SUBLN_EPSILON } from '../types';
import { type Weights, weightsOf } from '../weights';
import { lambdaOf } from './lambda';
import { linear } from './nn';
import { ssd } from './ssd';
import { mamba2Weights, type SsdWeights } from './ssd-weights';

/**
 * A differential block over two Mamba-2 mixers as one mixer of twice the width, heads and groups, for passes that nobody
 * observes: u [B,L,d] → [B,L,d]. It is the equation of `diffMamba` with λ inside the output projection,
 *
 *     M₁(u) − λ · M₂(u) = [W₁ | −λ W₂] [g₁ ; g₂]
 *
 * so that each product, convolution, scan and norm runs once. Costs copies of the weights, and equals it but for rounding.
 */
export function joinedMixers(u: tf.Tensor3D, w: Weights, block: DifferentialBlock): tf.Tensor3D {
  const { mixer, lambda: form, lambdaInit, subln } = block;
  const [first, second] = [w.under('mixer_1'), w.under('mixer_2')];
  const twice = { ...mixer, E: 2 * mixer.E, H: 2 * mixer.H, G: 2 * mixer.G };
  const inner = ssd(u, joinedWeights(mamba2Weights(first), mamba2Weights(second), mixer), twice, silent);

  const lambda = lambdaOf(form, lambdaInit, w);
  const [out1, out2] = [first.under('out_proj'), second.under('out_proj')];
  const share = lambda.neg();
  const weight = tf.concat([out1('weight'), out2('weight').mul(share.reshape([-1, 1]))], 1);
  const outProj = new Map([['weight', weight]]);
  if (out1.has('bias')) outProj.set('bias', out1('bias').add(out2('bias').mul(share)));
  const delta = linear(inner, weightsOf(outProj));

  const scale = 1 - lambdaInit;
  if (!subln) return delta.mul(scale);
  return rmsNorm(delta, w('subln.weight').mul(scale) as tf.Tensor1D, { epsilon: SUBLN_EPSILON });
}

/** The parameters of both scans, part by part: of [z | x | B | C | dt] first all of z, then all of x, and so on. */
function joinedWeights(first: SsdWeights, second: SsdWeights, { E, G, N, H }: MixerConfig): SsdWeights {
  const interleaved = (a: tf.Tensor, b: tf.Tensor, sizes: number[]) => {
    const [ofFirst, ofSecond] = [a, b].map((each) => tf.split(each, sizes, 0));
    return tf.concat(ofFirst.flatMap((part, i) => [part, ofSecond[i]]));
  };
  const both = (name: 'inProj' | 'conv', sizes: number[]) =>
    weightsOf(
      new Map(
        ['weight', 'bias'].flatMap((key): [string, tf.Tensor][] =>
          first[name].has(key) ? [[key, interleaved(first[name](key), second[name](key), sizes)]] : [],
        ),
      ),
    );
  const joined = (name: 'dt_bias' | 'A_log' | 'D' | 'norm') =>
    tf.concat([first[name] as tf.Tensor1D, second[name] as tf.Tensor1D]);
  return {
    inProj: both('inProj', [E, E, G * N, G * N, H]),
    conv: both('conv', [E, G * N, G * N]),
    dt_bias: joined('dt_bias'),
    A_log: joined('A_log'),
    D: joined('D'),
    norm: joined('norm'),
  };
}
