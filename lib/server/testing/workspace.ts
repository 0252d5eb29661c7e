import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { type AskedReading, type ReadingBody, type ReadingName, readingQuery } from '@/lib/api/readings';
import type { RunRequestInput } from '@/lib/api/schemas';
import { type BlockKind, saveCheckpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { retrievalVocabulary, tokenizerJson } from '@/lib/data/word-tokenizer';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training/initialise';
import { PROGRAM } from '@/scripts/lib/bundle.mjs';
import type { Computer } from '../compute/computer';
import type { Settings } from '../settings';

const MB = 1024 * 1024;
const MIGRATIONS = 'lib/server/archive/migrations';
const SIZES = { hidden_size: 16, state_size: 4, conv_kernel: 4, time_step_rank: 2, head_dim: 8, n_groups: 1 };

/** Small random models by name: plain and differential, with words and without, and one that is damaged. */
const MODELS = {
  plain: { layers: Array<BlockKind>(4).fill('mamba2'), expand: 2 },
  diff: { layers: ['diff_mamba2', 'mamba1', 'diff_mamba1'], expand: 1 },
  channels: { layers: ['diff_mamba2'], expand: 1, lambda: 'sigmoid_channel' },
  wordless: { layers: ['mamba1'], expand: 1 },
  /** So many blocks that a run of it can be met half-way. */
  deep: { layers: Array<BlockKind>(120).fill('mamba2'), expand: 2 },
} as const satisfies Readonly<Record<string, RandomModel>>;

export const VOCABULARY = retrievalVocabulary();

/** Settings of a random model beside its sizes. */
interface RandomModel {
  readonly layers: readonly BlockKind[];
  readonly expand: number;
  readonly lambda?: string;
}

/** Writes a model with random weights and, unless it is `wordless`, the tokenizer of the demos. */
export async function writeModel(folder: string, name: string, model?: RandomModel): Promise<void> {
  const { layers, ...rest } = model ?? MODELS[name as keyof typeof MODELS];
  const json = {
    ...SIZES,
    ...rest,
    layers: [...layers],
    model_type: 'statescope',
    num_hidden_layers: layers.length,
    vocab_size: VOCABULARY.length,
  };
  const config = parseConfig(json, new Map());
  const { tensors } = initialCheckpoint(config, new Random(7), name);
  await saveCheckpoint(join(folder, name), config, tensors);
  if (name === 'wordless') return;
  await writeFile(join(folder, name, 'tokenizer.json'), JSON.stringify(tokenizerJson(VOCABULARY)));
}

/** The empty database that an installed Statescope has: copying it takes some tenths of a second, making one 4 s of processor time. */
async function copyEmptyDatabase(dist: string): Promise<void> {
  const made = join(process.cwd(), 'dist', 'database');
  if (existsSync(join(made, 'PG_VERSION'))) await cp(made, join(dist, 'database'), { recursive: true });
}

const SWEEP_THREADS = {
  sweeps: join(process.cwd(), 'lib/server/sweeps/thread.ts'),
  items: join(process.cwd(), 'lib/server/sweeps/items-thread.ts'),
  leases: join(process.cwd(), 'lib/jobs/leases-thread.ts'),
};

/** The device is not measured: half of what starting a worker on the portable device costs, for a forecast that hardly a test asks for. */
const UNMEASURED: Plugin = {
  name: 'unmeasured',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/compute\/runs\/probe\.ts$/ }, () => ({ contents: 'export async function probe() {}' })),
};

interface Parts {
  /** With the threads of sweeps, too. */
  readonly sweeps?: boolean;
  /** The worker measures its device when it starts, so that it can say how long a first run takes. */
  readonly measured?: boolean;
}

export interface Workspace {
  readonly root: string;
  readonly settings: Settings;
  remove(): Promise<void>;
}

/**
 * A folder like an installed Statescope: the worker's bundle and tiny random models. It lies inside
 * node_modules, where the bundle finds the packages that it leaves outside.
 */
export async function makeWorkspace(
  overrides: Partial<Settings> = {},
  { sweeps = false, measured = false }: Parts = {},
): Promise<Workspace> {
  const cache = join(process.cwd(), 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const root = await mkdtemp(join(cache, 'statescope-test-'));
  const models = join(root, 'models');
  await mkdir(models);
  await Promise.all([
    copyEmptyDatabase(join(root, 'dist')),
    copyFile(join(process.cwd(), 'package.json'), join(root, 'package.json')),
    build({
      ...PROGRAM,
      entryPoints: {
        worker: join(process.cwd(), 'lib/server/worker.ts'),
        reader: join(process.cwd(), 'lib/server/readers/thread.ts'),
        archive: join(process.cwd(), 'lib/server/archive/thread.ts'),
        ...(sweeps && SWEEP_THREADS),
      },
      plugins: [...(PROGRAM.plugins ?? []), ...(measured ? [] : [UNMEASURED])],
      outdir: join(root, 'dist'),
      outExtension: { '.js': '.mjs' },
    }),
    cp(join(process.cwd(), MIGRATIONS), join(root, MIGRATIONS), { recursive: true }),
    ...(Object.keys(MODELS) as (keyof typeof MODELS)[]).map((name) => writeModel(models, name)),
  ]);
  await mkdir(join(models, 'damaged'));
  await writeFile(join(models, 'damaged', 'config.json'), '{"model_type": "mamba"');
  const settings = {
    root,
    maxTokens: 64,
    modelBytes: 64 * MB,
    runBytes: 64 * MB,
    mapBytes: 64 * MB,
    keptRuns: 20,
    readOnly: false,
    textSeconds: 20,
    stepSeconds: 600,
    queueLimit: 4,
    dataFolder: null,
    dataBytes: 64 * MB,
    weights: 'float32' as const,
    ...overrides,
  };
  return { root, settings, remove: () => rm(root, { recursive: true, force: true }) };
}

export const PROMPT = 'Mary went to the kitchen. John went to the garden. Where is Mary?';

/** A request that fits every model with words. */
export const request = (overrides: Partial<RunRequestInput> = {}): RunRequestInput => ({
  models: ['plain'],
  prompt: PROMPT,
  target: 'kitchen',
  needle: [PROMPT.indexOf('kitchen'), PROMPT.indexOf('kitchen') + 'kitchen'.length],
  candidates: ['kitchen', 'garden', 'office'],
  ...overrides,
});

/** Reads what a run left in a computer, as the server does for a request. */
export const read = <N extends ReadingName>(
  computer: Computer,
  id: string,
  name: N,
  asked: NoInfer<AskedReading<N>>,
  withdrawn?: Int32Array,
): Promise<ReadingBody<N>> => computer.read({ id, name, query: readingQuery(name, asked), withdrawn });
