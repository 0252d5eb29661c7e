import * as tf from '@tensorflow/tfjs';
import { z } from 'zod';
import { scansOf } from '@/lib/architectures/places';
import type { BlockConfig } from '@/lib/checkpoint';
import { generationSteps } from '@/lib/generation';
import { disposeState, extend, type Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { checked, type Evaluation, type Figure, type Item, type Line } from './evaluation';
import { costFigure } from './figures';

const count = z.number().int().positive();

export const costSchema = z
  .object({
    lengths: z.array(count).min(1).default([512, 1024, 2048]),
    batches: z.array(count).min(1).default([1, 4, 16]),
    /** Tokens that are written after the prompt, for the rate of writing. */
    new_tokens: count.default(16),
    /** Of each time the median of so many runs is taken, after one to warm up. */
    runs: count.default(3),
  })
  .strict();

export type CostSettings = z.input<typeof costSchema>;

interface CostItem extends Item {
  readonly batch: number;
  readonly length: number;
}

/** What one shape costs. */
export interface CostLine extends Line {
  readonly batch: number;
  readonly length: number;
  readonly parameters: number;
  /** Of one token, by {@link flopsPerToken}, and of the whole batch. */
  readonly flops_per_token: number;
  readonly flops: number;
  /** Of the parameters, of what decoding remembers of the batch, and the most tensors at any moment of a forward pass beside the parameters. */
  readonly weight_bytes: number;
  readonly state_bytes: number;
  readonly peak_bytes: number;
  /** Medians of wall-clock and of processor time (all threads), seconds; the last logits only. */
  readonly forward_seconds: number;
  readonly forward_cpu_seconds: number;
  readonly tokens_per_second: number;
  /** One more token of every row. */
  readonly step_seconds: number;
  readonly new_tokens_per_second: number;
}

export interface CostResults {
  readonly models: readonly { readonly label: string; readonly shapes: readonly CostLine[] }[];
  /** Second model over first, where there are two: how many times the cost, shape by shape. */
  readonly ratios: readonly Record<'batch' | 'length' | (typeof COMPARED)[number], number>[] | null;
}

const COMPARED = [
  'parameters',
  'flops_per_token',
  'state_bytes',
  'peak_bytes',
  'forward_seconds',
  'forward_cpu_seconds',
  'step_seconds',
] as const satisfies readonly (keyof CostLine)[];

/**
 * Floating-point operations of one token in one forward pass, a multiplication and an addition each one: two for every weight of a
 * projection, of the head and of a convolution; and for every entry of a scan's state the decay (and in Mamba-1 kinds its exponent:
 * a product and an exponential), the input (a product and a sum) and the reading (a product and a sum). Norms, gates and activations,
 * which grow with the width only, are left out.
 */
export function flopsPerToken({ config, parameters }: Model): number {
  let flops = 2 * config.d * config.V;
  for (const [name, { size }] of parameters) {
    if (!/\.layers\./.test(name)) continue;
    if (/proj\d?\.weight$/.test(name)) flops += 2 * size;
    if (/conv1d\.weight$/.test(name)) flops += 2 * size * convolutions(config.blocks[layerOf(name)]);
  }
  for (const block of config.blocks) {
    const { E, N, H } = block.mixer;
    flops += scansOf(block).length * E * N * (H > 0 ? 5 : 7);
  }
  return flops;
}

const layerOf = (name: string) => Number(/\.layers\.(\d+)\./.exec(name)?.[1]);

/** One convolution serves both branches of this kind, each with an input of its own. */
const convolutions = ({ kind }: BlockConfig) => (kind === 'diff_s6_mamba2' ? 2 : 1);

/** What models cost by batch and length; times are of this machine, as busy as it is. @throws InputError where settings do not fit */
export function costEvaluation(given: unknown): Evaluation<CostItem, CostLine, CostResults> {
  const settings = checked(costSchema, given, 'cost');
  const { lengths, batches } = settings;
  return {
    name: 'cost',
    settings,
    items: () => lengths.flatMap((length) => batches.map((batch) => ({ lines: 1, batch, length }))),
    evaluateItem: async ({ model }, item) => [await measured(model, item, settings)],
    summarise(arms) {
      // Several trainings of a model cost the same but for chance: the least time counts.
      const models = arms.map(({ label, seeds }) => ({
        label,
        shapes: seeds[0].lines.map((_, k) => quickest(seeds.map(({ lines }) => lines[k]))),
      }));
      return { models, ratios: models.length === 2 ? ratiosOf(models[0].shapes, models[1].shapes) : null };
    },
    figures: ({ models }): Figure[] => [
      { name: 'forward-time', svg: costFigure(models, 'forward') },
      { name: 'throughput', svg: costFigure(models, 'throughput') },
    ],
  };
}

const quickest = (lines: readonly CostLine[]): CostLine =>
  lines.reduce((best, line) => (line.forward_seconds < best.forward_seconds ? line : best));

function ratiosOf(first: readonly CostLine[], second: readonly CostLine[]): NonNullable<CostResults['ratios']> {
  return second.map((line, k) => {
    const own = Object.fromEntries(COMPARED.map((field) => [field, line[field] / first[k][field]]));
    return { batch: line.batch, length: line.length, ...own } as NonNullable<CostResults['ratios']>[number];
  });
}

async function measured(
  model: Model,
  { batch, length }: CostItem,
  { new_tokens, runs }: z.output<typeof costSchema>,
): Promise<CostLine> {
  const random = new Random(1);
  const tokens = Array.from({ length: batch }, () =>
    Array.from({ length }, () => random.integer(0, model.config.vocabulary - 1)),
  );
  const forward = () => {
    const logits = model.forward(tokens, { logits: 'last' });
    logits.dataSync();
    logits.dispose();
  };
  const { peakBytes } = await tf.profile(() => {
    forward();
    return [];
  });
  const weights = [...model.parameters.values()].reduce((sum, { size }) => sum + 4 * size, 0);
  const times = timesOf(forward, runs);
  const { logits, state } = extend(model, tokens);
  logits.dispose();
  const stateBytes = [...state.tensors.values()].reduce((sum, { size }) => sum + 4 * size, 0);
  const last = tokens.map((row) => row.slice(-1));
  const steps = timesOf(() => {
    const written = generationSteps(model, last, { maxNewTokens: new_tokens, state });
    let step = written.next();
    while (!step.done && step.value.done < new_tokens) step = written.next();
    written.return({ tokens: [] });
  }, runs);
  disposeState(state);
  const flops = flopsPerToken(model);
  const step = steps.wall / new_tokens;
  return {
    ...{ batch, length },
    parameters: [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0),
    flops_per_token: flops,
    flops: flops * batch * length,
    ...{ weight_bytes: weights, state_bytes: stateBytes, peak_bytes: Math.max(0, peakBytes - weights) },
    forward_seconds: times.wall,
    forward_cpu_seconds: times.cpu,
    tokens_per_second: (batch * length) / times.wall,
    step_seconds: step,
    new_tokens_per_second: batch / step,
  };
}

/** Medians of so many runs after one to warm up, seconds. */
function timesOf(run: () => void, runs: number): { readonly wall: number; readonly cpu: number } {
  run();
  const walls: number[] = [];
  const cpus: number[] = [];
  for (let k = 0; k < runs; k++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    run();
    const { user, system } = process.cpuUsage(before);
    walls.push((performance.now() - start) / 1000);
    cpus.push((user + system) / 1e6);
  }
  return { wall: median(walls), cpu: median(cpus) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
