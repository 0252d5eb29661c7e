import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import type { TrainingRun, TrainingRuns } from '@/lib/api/training';
import { loadTokenizer, type Tokenizer } from '@/lib/tokenizer';
import { METRICS, readMetrics, type TrainingMetrics } from '@/lib/training/metrics';
import { ServiceError } from '../errors';

/** What every configuration of a training run has, and the settings of a tuned lens have not. */
const configSchema = z.looseObject({
  name: z.string(),
  seed: z.number(),
  optimizer: z.looseObject({ weight_decay_on: z.string() }),
  stages: z.array(z.unknown()).optional(),
});

/** Levels below a folder in which runs are looked for: an experiment has its arms, and these their seeds. */
const DEPTH = 4;

/** Points of a curve: more than a plot has pixels to part. */
const MOST_POINTS = 300;

/** Metrics that are read at all: a million lines. */
const LARGEST_METRICS = 2 ** 29;

interface Found {
  readonly run: Omit<TrainingRun, 'name' | 'arm'>;
  /** What runs of one arm have in common. */
  readonly arm: string;
}

/** Runs of training on the disk, as they stand. What has not changed since is not read again. */
export class TrainingFolders {
  readonly #known = new Map<string, { state: string; found: Found }>();

  /**
   * The runs in some folders, in the order of their names.
   * @param places folders that the server may read; those that there are are looked through
   * @param folder the only one of interest, below one of them
   * @throws ServiceError 403 outside of them, 404 where there is no such folder
   */
  async list(root: string, places: readonly string[], folder?: string): Promise<TrainingRuns> {
    const folders = folder === undefined ? places.filter((path) => existsSync(path)) : [allowed(root, places, folder)];
    const found: (Found & { readonly name: string })[] = [];
    const broken: TrainingRuns['broken'] = [];
    for (const place of folders)
      for (const path of await runsBelow(place, DEPTH))
        try {
          found.push({ ...(await this.#read(path)), name: relative(place, path) || path });
        } catch (error) {
          broken.push({ folder: path, message: (error as Error).message });
        }
    const arms = [...new Set(found.map(({ arm }) => arm))];
    return { runs: found.map(({ run, arm, name }) => ({ ...run, name, arm: arms.indexOf(arm) })), folders, broken };
  }

  async #read(folder: string): Promise<Found> {
    const { size, mtimeMs } = await stat(join(folder, METRICS));
    const state = `${size} ${mtimeMs}`;
    const known = this.#known.get(folder);
    if (known?.state === state) return known.found;
    if (size > LARGEST_METRICS) throw new Error(`metrics.jsonl has ${size} bytes, too many to be drawn.`);
    const found = await readRun(folder, new Date(mtimeMs));
    this.#known.set(folder, { state, found });
    return found;
  }
}

function allowed(root: string, places: readonly string[], folder: string): string {
  const path = resolve(root, folder);
  const isBelow = (place: string) => {
    const rest = relative(place, path);
    return rest === '' || (!rest.startsWith('..') && !isAbsolute(rest));
  };
  if (!places.some(isBelow))
    throw new ServiceError(403, `${path} lies outside the folders that this server may read: ${places.join(', ')}.`);
  if (!existsSync(path)) throw new ServiceError(404, `There is no folder ${path}.`, 'Check its spelling.');
  return path;
}

const isRun = (folder: string) => existsSync(join(folder, METRICS)) && existsSync(join(folder, 'training.json'));

async function runsBelow(folder: string, depth: number): Promise<string[]> {
  const found = isRun(folder) && (await isTraining(folder)) ? [folder] : [];
  if (depth === 0) return found;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? [entry.name] : []));
  for (const name of names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })))
    found.push(...(await runsBelow(join(folder, name), depth - 1)));
  return found;
}

const configOf = async (folder: string) =>
  configSchema.safeParse(JSON.parse(await readFile(join(folder, 'training.json'), 'utf8')));

/** The settings of a tuned lens have the same name. */
const isTraining = (folder: string) =>
  configOf(folder).then(
    ({ success }) => success,
    () => true,
  );

async function readRun(folder: string, updated: Date): Promise<Found> {
  const { data: config } = await configOf(folder);
  if (!config) throw new Error('training.json is not a configuration of training.');
  const metrics = await readMetrics(folder);
  if (metrics.length === 0) throw new Error('No step has been logged yet.');
  const last = metrics[metrics.length - 1];
  const ends = metrics.filter(({ stage_end }) => stage_end).length;
  const { name: _name, seed, ...rest } = config;
  const every = Math.ceil(metrics.length / MOST_POINTS);
  const points = metrics.filter((_line, i) => i % every === 0 || i === metrics.length - 1);
  const evaluations = metrics.flatMap(({ step, evaluation }) => (evaluation ? [{ step, ...evaluation }] : []));
  return {
    arm: JSON.stringify(rest),
    run: {
      folder,
      seed,
      step: last.step,
      steps: last.steps,
      stage: last.stage,
      finished: ends === (config.stages?.length ?? 1),
      updatedAt: updated.toISOString(),
      secondsLeft: last.time.left,
      tokensPerSecond: last.time.tokens_per_second,
      points: points.map(({ step, text, answers, lambda }) => ({ step, text, answers, lambda: [...lambda] })),
      evaluations: evaluations.map(({ step, accuracy, labels, text, answers }) => ({
        step,
        accuracy,
        labels: { ...labels },
        text,
        answers,
      })),
      samples: await samplesOf(folder, evaluations.at(-1)?.samples ?? []),
    },
  };
}

type Samples = NonNullable<TrainingMetrics['evaluation']>['samples'];

/** Samples as text, or as numbers where the data have no tokenizer. */
async function samplesOf(folder: string, samples: Samples): Promise<TrainingRun['samples']> {
  const path = join(folder, 'tokenizer.json');
  const tokenizer: Tokenizer | undefined = existsSync(path)
    ? await loadTokenizer(path).catch(() => undefined)
    : undefined;
  const textOf = (ids: readonly number[]) => tokenizer?.decode(ids) ?? ids.join(' ');
  return samples.map(({ label, read, wanted, given }) => ({
    ...(label !== undefined && { label }),
    read: textOf(read),
    wanted: textOf(wanted),
    given: textOf(given),
  }));
}
