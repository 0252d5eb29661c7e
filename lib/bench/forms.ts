import {
  type BlockCache,
  blockForm,
  capturedBlocks,
  finalResidual,
  logitDirection,
  logitForm,
  normSteps,
  type Operator,
  operatorOf,
  type S6Inputs,
  type ScanParameters,
  scanAttention,
} from '@/lib/analysis';
import type { Model } from '@/lib/models';
import { rateOf } from './machine';
import { type Benchmark, type Measurement, measurement, median, medianMs } from './measure';
import { MAMBA_130M, MAMBA2_130M, randomModel, tokensOf } from './shapes';

const L = 512;
const RUNS = 3;

/** What a map is made of. */
interface Place {
  readonly block: BlockCache;
  readonly inputs: S6Inputs;
  readonly parameters: Operator;
  readonly scan: ScanParameters;
}

/** Median over repeated passes of the time that all layers take after their forward pass, which is not counted. */
function ofAllLayers(model: Model, row: number[], make: (place: Place) => void): number {
  const { blocks } = model.config;
  const times = Array.from({ length: RUNS }, () => {
    let spent = 0;
    for (const block of capturedBlocks(model, row, [...blocks.keys()])) {
      const place = placeOf(model, block);
      const start = performance.now();
      make(place);
      spent += performance.now() - start;
    }
    return spent;
  });
  return median(times);
}

function placeOf(model: Model, block: BlockCache): Place {
  const parameters = operatorOf(model, block);
  const inputs = block.scans.get('single') as S6Inputs;
  return { block, inputs, parameters, scan: parameters.scans.get('single') as ScanParameters };
}

function formsOf(device: string, what: string, model: Model): Measurement[] {
  const { V, d, blocks } = model.config;
  const { E, N, H, K } = blocks[0].mixer;
  const row = tokensOf(1, L, V)[0];
  const u = logitDirection(model, finalResidual(model, [row]), 3);
  const [block] = capturedBlocks(model, row, [0]);
  const first = placeOf(model, block);
  const { perMs, what: rate } = rateOf(device);
  const triangle = (L * L) / 2;
  const meanMs = (triangle * (H > 0 ? N + 2 * H : E * N)) / perMs;
  const foldedMs = (triangle * (H > 0 ? N + E * K : E * N)) / perMs;
  const layers = `${blocks.length} layers`;
  const line = (name: string, how: string, ms: number, floor: number, floorIs: string) =>
    measurement(
      { what: `${name}, ${what}`, shape: `L=${L}, ${how}`, device, floor: `${floorIs} at ${rate}` },
      ms,
      floor,
    );
  const sums = `L²/2 products over ${H > 0 ? 'states and heads' : 'channels and states'} a layer`;
  const strips = () => {
    for (const steps = normSteps(block, first.parameters, 'single'); !steps.next().done; );
  };
  return [
    line(
      's6 mean with its check',
      layers,
      ofAllLayers(model, row, ({ inputs }) => scanAttention(inputs, { how: 'mean' })),
      blocks.length * meanMs,
      sums,
    ),
    line(
      'logit form with its check',
      layers,
      ofAllLayers(model, row, ({ block: of, parameters }) => logitForm(of, parameters, u, 'single')),
      blocks.length * foldedMs,
      H > 0 ? 'L²/2 products over taps of every channel a layer' : sums,
    ),
    line('norm form with its check', '1 layer', medianMs(strips), (triangle * E * d) / perMs, 'L²/2 products of E·d'),
    line(
      'one channel of s6',
      '1 layer',
      medianMs(() => scanAttention(first.inputs, { how: 'channel', index: 5 })),
      (triangle * N) / perMs,
      'L²/2 products over states',
    ),
    line(
      'one channel of the block form',
      '1 layer',
      medianMs(() => blockForm(first.inputs, first.scan, { how: 'channel', index: 5 })),
      (triangle * N) / perMs,
      'L²/2 products over states',
    ),
  ];
}

const ofModel = (name: string, what: string, shape: typeof MAMBA_130M): Benchmark => ({
  name,
  run: (device) => {
    const model = randomModel(shape);
    try {
      return formsOf(device, what, model);
    } finally {
      model.dispose();
    }
  },
});

/** What do the forms of implicit attention cost after the forward pass of Mamba-130m, checks included? */
export const formsBenchmark = ofModel('forms', 'Mamba-130m', MAMBA_130M);

/** The same of Mamba2-130m. */
export const forms2Benchmark = ofModel('forms mamba2', 'Mamba2-130m', MAMBA2_130M);
