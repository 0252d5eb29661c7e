import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import {
  type Asked,
  type Estimated,
  type Evaluation,
  fingerprint,
  type Item,
  type Line,
  type Opening,
  runEvaluation,
  type Summary,
} from '@/lib/evaluation';
import { createModel, defaultWeightFormat, keptFormat } from '@/lib/models';
import { loadTokenizer } from '@/lib/tokenizer';
import { RESAMPLES, type WeightChoice } from '@/lib/vocabulary';
import { readJson } from '../../input';
import { type Io, progress } from '../../io';
import { withDevice, withJson, withTokenizerOption, withWeights } from '../../options';
import { printJson, table } from '../../output';
import { wholeNumber, words } from '../../parse';
import { type DeviceOptions, openCheckpointOf } from '../../session';

/** What every evaluation of models takes. */
export interface EvaluationOptions extends DeviceOptions {
  readonly model?: string;
  readonly models?: string[];
  readonly tokenizer?: string;
  readonly weights?: WeightChoice;
  readonly out?: string;
  readonly resamples: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Adds models, device, output and bootstrap to a command. */
export const withEvaluation = (command: Command): Command =>
  withJson(
    withDevice(
      withTokenizerOption(withWeights(command))
        .addOption(new Option('--model <name|folder>', 'the model').conflicts('models'))
        .option(
          '--models <a,b>',
          'what is compared: models or folders, each NAME, or LABEL=NAME; trainings of one model joined by +',
          words('--models'),
        ),
    ),
  )
    .option('--out <folder>', 'keep predictions.jsonl, summary.json and figures here; started again, it goes on')
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap', wholeNumber('--seed', 0), 42);

/** Adds where rows of data come from. */
export const withData = (command: Command): Command =>
  command
    .option('--data <file|json>', 'a source of data as training takes it: {"source": "retrieval"}, or a file of that')
    .option('--split <name>', 'train, validation or test', 'test')
    .option('--rows <n>', 'rows of the data; by default all', wholeNumber('--rows', 1));

/** The JSON of an option that says a source of data, given itself or as a file. @throws InputError */
export async function readData(data: string, option = '--data'): Promise<unknown> {
  if (!data.trimStart().startsWith('{') && !data.trimStart().startsWith('[')) return readJson(data, 'data');
  try {
    return JSON.parse(data);
  } catch {
    throw new InputError(`${option} is not JSON: give {"source": …}, or a file of that.`);
  }
}

interface Named {
  readonly label: string;
  readonly names: readonly string[];
}

/** What is compared. @throws InputError where nothing is named or a label comes twice */
function armsOf({ model, models }: EvaluationOptions): Named[] {
  if (model === undefined && models === undefined)
    throw new InputError('Name a model with --model, or several as --models A,B.');
  const arms = (models ?? [model as string]).map((text): Named => {
    const [, label, names] = /^(?:([^=/]+)=)?(.+)$/.exec(text) ?? [];
    if (names === undefined) throw new InputError(`--models takes NAME or LABEL=NAME, not "${text}".`);
    return { label: label ?? names, names: names.split('+') };
  });
  const twice = arms.find(({ label }, k) => arms.findIndex((arm) => arm.label === label) < k);
  if (twice) throw new InputError(`--models names "${twice.label}" twice: give them labels of their own, as A=NAME.`);
  return arms;
}

/** Runs an evaluation of the named models, prints its summary, and keeps what is to be kept. @param rows of a table to read */
export async function evaluate<I extends Item, L extends Line, S>(
  evaluation: Evaluation<I, L, S>,
  options: EvaluationOptions,
  io: Io,
  rows: (results: S) => Readonly<Record<string, unknown>>[],
): Promise<void> {
  const named = armsOf(options);
  const device = await openDevice(options);
  const weights = options.weights ?? defaultWeightFormat();
  io.err(`${evaluation.name} on ${device.name} (${device.description}), weights in ${weights}\n`);
  const arms: { label: string; seeds: Opening[] }[] = [];
  for (const { label, names } of named) {
    const seeds: Opening[] = [];
    for (const name of names) seeds.push(await openingOf(name, device.name, { ...options, weights }, io));
    arms.push({ label, seeds });
  }
  const bar = progress(io, `${evaluation.name}:`);
  const { out: folder, seed, resamples } = options;
  const summary = await runEvaluation(evaluation, arms, {
    ...{ folder, seed, resamples },
    onItem: (done, total) => bar.at(done, total),
  }).finally(bar.end);
  print(summary, options, io, rows);
}

function print<S>(
  summary: Summary<S>,
  { json, out }: EvaluationOptions,
  io: Io,
  rows: (results: S) => Readonly<Record<string, unknown>>[],
): void {
  if (json) {
    printJson(io, summary);
    return;
  }
  io.out(table(rows(summary.results)));
  const seeds = summary.models.some((model) => model.seeds.length > 1);
  io.out(`95 % bootstrap intervals over examples${seeds ? ' and trainings' : ', of one training of each model'}\n`);
  if (out !== undefined) io.err(`predictions, summary and figures are in ${out}\n`);
}

/** Reads a model once for what its results are known by, and again when its turn comes. */
async function openingOf(
  model: string,
  device: string,
  { weights: choice, tokenizer: wanted }: { readonly weights: WeightChoice; readonly tokenizer?: string },
  io: Io,
): Promise<Opening> {
  const known = await openCheckpointOf({ model, tokenizer: wanted, weights: choice }, io);
  const weights = keptFormat(known, choice);
  const { name: found, config, tensors, parameterCount, tokenizer: chosen, warnings } = known;
  const path = chosen?.path;
  const tokenizer = chosen && { name: chosen.name, source: chosen.source, sha256: await sha256Of(chosen.path) };
  const facts = {
    ...{ name: found, device, weights, parameters: parameterCount, sha256: fingerprint(config, tensors), tokenizer },
    ...(warnings && { warnings }),
  };
  return {
    facts,
    async open(): Promise<Asked> {
      // What is to be said of the model was said when it was read first.
      const checkpoint = await openCheckpointOf(
        { model, tokenizer: wanted, weights: choice },
        { ...io, err: () => {} },
      );
      return {
        name: found,
        vocabulary: config.vocabulary,
        model: createModel(checkpoint, { weights: choice }),
        ...(path !== undefined && { tokenizerPath: path, tokenizer: await loadTokenizer(path) }),
      };
    },
    close: ({ model }) => model.dispose(),
  };
}

const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** An estimate with its interval, for reading. */
export function shown(estimate: Estimated | null, digits = 3): string {
  if (estimate === null) return '–';
  const { mean, low, high } = estimate;
  return low === null || high === null
    ? mean.toFixed(digits)
    : `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

/** A share in per cent with its interval. */
export const percent = (share: Estimated | null): string =>
  shown(
    share && {
      ...share,
      mean: 100 * share.mean,
      low: share.low === null ? null : 100 * share.low,
      high: share.high === null ? null : 100 * share.high,
    },
    1,
  );
