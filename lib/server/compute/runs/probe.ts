import * as tf from '@tensorflow/tfjs';
import { lensOf } from '@/lib/analysis';
import { attentionOf } from '@/lib/analysis/s6Attention';
import type { ModelConfig } from '@/lib/checkpoint';
import { openFile } from '@/lib/checkpoint/files';
import { createModel, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { toFloat32 } from '@/lib/safetensors/dtype';
import { initialCheckpoint } from '@/lib/training/initialise';
import type { WeightChoice } from '@/lib/vocabulary';
import { blockCost, loadingCost, mapCost, readoutCost } from './costs';
import { forwardInto } from './forward';
import type { Observation } from './pace';
import { TOP_TOKENS } from './readouts';
import type { ModelRecord } from './record';

/** Sizes go up to models of 512 channels and prompts of 128 tokens; each takes about eight times as long as the one before. */
const SIZES = [1, 2, 4, 8];

/** Seconds that the stages of a size may take; a larger one is not begun where they would take longer. */
const PATIENCE = 0.3;

/** Seconds over which a size is repeated, and how often at most. */
const REPEATING = 0.04;
const MOST_ROUNDS = 8;

const SHARED = { K: 4, timeStepLimit: [0, Number.POSITIVE_INFINITY] as const, useBias: false, useConvBias: true };

/** One block of each kind of scan, with the proportions of published models. */
function shapesOf(size: number): ModelConfig[] {
  const [d, V] = [64 * size, 256 * size];
  const mixer = { ...SHARED, epsilon: 1e-5, d, E: 2 * d, N: 16, R: d / 16, H: 0, P: 0, G: 0 };
  const common = { format: 'statescope' as const, d, V, vocabulary: V, epsilon: 1e-5, tied: true };
  return [
    { ...common, blocks: [{ kind: 'mamba1', mixer }] },
    { ...common, blocks: [{ kind: 'mamba2', mixer: { ...mixer, N: 128, R: 0, H: (2 * d) / 64, P: 64, G: 1 } }] },
  ];
}

async function timed<T>(work: () => T | Promise<T>): Promise<readonly [T, seconds: number]> {
  const start = performance.now();
  const result = await work();
  return [result, (performance.now() - start) / 1000];
}

/** The stages of a run of L tokens, one after the other. */
async function stagesOf(model: Model, L: number): Promise<Observation[]> {
  const { config, name } = model;
  const [block] = config.blocks;
  const tokens = Array.from({ length: L }, (_, t) => ({ id: t, text: '', start: 0, end: 0 }));
  const record = { request: { name, tokens }, config, fingerprint: name, L, residuals: [], blocks: [] } as ProbeRecord;
  const start = performance.now();
  let forward = 0;
  const computed = () => {
    forward = (performance.now() - start) / 1000;
  };
  await forwardInto(record as ModelRecord, model, { before: async () => undefined, computed, after: () => undefined });
  const [, map] = await timed(() => attentionOf(record.blocks[0], { branch: 'single', reduce: 'mean' }));
  const request = { targets: [0], positions: [L - 1], topK: TOP_TOKENS };
  const [, lens] = await timed(() => lensOf(model, { B: 1, L, streams: record.residuals.slice(-1) }, request));
  return [
    { cost: blockCost(block, L), seconds: forward },
    { cost: mapCost(block, L), seconds: map },
    { cost: readoutCost(config), seconds: lens },
  ];
}

/**
 * Every stage at its mean, load of the machine included, which runs will meet as well. The first two rounds, which make code
 * and kernels ready, do not count.
 */
async function repeated(model: Model, L: number): Promise<Observation[]> {
  for (let round = 0; round < 2; round++) await stagesOf(model, L);
  const rounds: Observation[][] = [];
  const end = performance.now() + 1000 * REPEATING;
  while (rounds.length === 0 || (rounds.length < MOST_ROUNDS && performance.now() < end))
    rounds.push(await stagesOf(model, L));
  return rounds[0].map(({ cost }, stage) => ({
    cost,
    seconds: rounds.reduce((sum, round) => sum + round[stage].seconds, 0) / rounds.length,
  }));
}

/** Bytes of a file that is read as weights are. */
const READ_BYTES = 16 * 2 ** 20;

/** Reads a part of the one file that is there for sure, the running program, as if it were weights. */
async function probeLoading(tell: (observation: Observation) => void): Promise<void> {
  const source = await openFile(process.execPath);
  try {
    const count = Math.floor(Math.min(source.size, READ_BYTES) / 4);
    const [weights, seconds] = await timed(async () => {
      const bytes = await source.read(0, 4 * count);
      return tf.tensor(toFloat32(bytes, 'F32'), [count], 'float32');
    });
    weights.dispose();
    tell({ cost: loadingCost(count), seconds });
  } finally {
    await source.close();
  }
}

/** Bytes, and of how many at a time: memory that was in use before is handed out again sooner than new one. */
const KEPT_BYTES = 32 * 2 ** 20;
const KEPT_PART = 4 * 2 ** 20;

/** Keeps as much as a run of a small model does. */
async function probeKeeping(tell: (observation: Observation) => void): Promise<void> {
  const part = new Float32Array(KEPT_PART / 4).fill(1);
  const [, seconds] = await timed(() => Array.from({ length: KEPT_BYTES / KEPT_PART }, () => part.slice()));
  tell({ cost: { kept: KEPT_BYTES }, seconds });
}

/** What a probe needs of a record. */
type ProbeRecord = Pick<ModelRecord, 'config' | 'L' | 'residuals' | 'blocks'>;

/**
 * Times every stage of a run on small random models, then on larger ones while that is quick: half a second on a usual
 * processor.
 */
export async function probe(weights: WeightChoice, tell: (observation: Observation) => void): Promise<void> {
  await probeLoading(tell);
  await probeKeeping(tell);
  const random = new Random(1);
  for (const size of SIZES) {
    let spent = 0;
    for (const shape of shapesOf(size)) {
      const checkpoint = initialCheckpoint(shape, random, 'probe');
      const model = createModel(checkpoint, { weights });
      try {
        for (const stage of await repeated(model, 16 * size)) {
          tell(stage);
          spent += stage.seconds;
        }
      } finally {
        model.dispose();
      }
    }
    if (8 * spent > PATIENCE) return;
  }
}
