import { type Draw, type RandomNumbers, stateSpaceDraw } from '../initial-draws';
import type { LmSuiteConfig } from './config';
import type { LmSuiteTensor } from './model';
import { lmSuiteTensors } from './shapes';

/** Scale of word vectors and projections, and of the softmax biases, in the suite's configurations. */
const INIT_SCALE = 0.5;
const BIAS_SCALE = 1;

/** Embedding and softmax: N(0, (s/√width)²), tail clusters' rows and the head's projection 0. */
function outerDraw(name: string, shape: readonly number[], d: number, random: RandomNumbers): Draw {
  if (/^loss\.(cluster_|out_projs\.)/.test(name)) return () => 0;
  if (name.startsWith('loss.')) {
    const bound = BIAS_SCALE / Math.sqrt(d);
    return () => random.uniform(-bound, bound);
  }
  const width = name.startsWith('encoder.emb_projs.') ? d : shape[1];
  return () => (INIT_SCALE / Math.sqrt(width)) * random.normal();
}

/** Sub-layers: PyTorch's defaults U(±fan_in^-1/2), and those of the state-space parameters (equations A1, A2, A4). */
function innerDraw(
  name: string,
  shape: readonly number[],
  fanIn: ReadonlyMap<string, number>,
  random: RandomNumbers,
): Draw {
  const known = stateSpaceDraw(name, shape, random);
  if (known) return known;
  if (name.endsWith('.norm.norm.bias')) return () => 0;
  const bound = 1 / Math.sqrt(fanIn.get(name.replace(/\.(weight|bias)$/, '')) as number);
  return () => random.uniform(-bound, bound);
}

/** Inputs of one output of each linear layer and convolution, by module name. */
function fanInsOf(shapes: ReadonlyMap<string, readonly number[]>): Map<string, number> {
  const fanIns = new Map<string, number>();
  for (const [name, shape] of shapes)
    if (name.endsWith('.weight') && shape.length > 1)
      fanIns.set(
        name.slice(0, -'.weight'.length),
        shape.slice(1).reduce((product, size) => product * size, 1),
      );
  return fanIns;
}

/**
 * Fresh weights as the authors' suite draws them, ready for `createLmSuiteModel`. Deterministic in `random`.
 * Unlike mamba_ssm the suite does not divide out_proj by √n_layer, and its head starts from a projection of zeros, so
 * that with divVal > 1 the first predictions are uniform within the head but for its biases.
 */
export function initialLmSuite(config: LmSuiteConfig, random: RandomNumbers): Map<string, LmSuiteTensor> {
  const shapes = lmSuiteTensors(config);
  const fanIns = fanInsOf(shapes);
  const tensors = new Map<string, LmSuiteTensor>();
  for (const [name, shape] of shapes) {
    const draw = name.startsWith('layers.')
      ? innerDraw(name, shape, fanIns, random)
      : outerDraw(name, shape, config.d, random);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < data.length; i++) data[i] = draw(i);
    tensors.set(name, { shape, data });
  }
  return tensors;
}
