import type { LmSuiteConfig } from './config';
import type { LmSuiteTensor } from './model';
import { lmSuiteTensors } from './shapes';

/** Where numbers come from; a seeded generator makes the model reproducible. */
export interface RandomNumbers {
  uniform(from: number, to: number): number;
  normal(): number;
}

/** Scale of word vectors and projections, and of the softmax biases, in the suite's configurations. */
const INIT_SCALE = 0.5;
const BIAS_SCALE = 1;

/** Δ starts log-uniform in this range, as softplus of the bias (spec A1). */
const TIME_STEP_RANGE = [1e-3, 0.1] as const;
const TIME_STEP_FLOOR = 1e-4;

/** x with softplus(x) = y. */
const inverseSoftplus = (y: number) => y + Math.log(-Math.expm1(-y));

/** What draws each element of a tensor, given its position. */
type Draw = (index: number) => number;

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

function timeStep(random: RandomNumbers): number {
  const [low, high] = TIME_STEP_RANGE.map(Math.log);
  return inverseSoftplus(Math.max(TIME_STEP_FLOOR, Math.exp(random.uniform(low, high))));
}

/** Sub-layers: PyTorch's defaults U(±fan_in^-1/2), and those of the state-space parameters (spec A1, A2, A4). */
function innerDraw(
  name: string,
  shape: readonly number[],
  fanIn: ReadonlyMap<string, number>,
  random: RandomNumbers,
): Draw {
  if (/\.A[12]?_log$/.test(name))
    return shape.length === 2 ? (index) => Math.log((index % shape[1]) + 1) : () => Math.log(random.uniform(1, 16));
  if (/\.D[12]?$/.test(name)) return () => 1;
  if (/\.dt[12]?_(bias|proj\.bias)$/.test(name)) return () => timeStep(random);
  if (/\.lambda_[qk][12]$/.test(name)) return () => random.normal();
  if (/\.(norm|subln)\.weight$/.test(name)) return () => 1;
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
