import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  answerLogprobSteps,
  compare,
  lensFaults,
  readHeldOut,
  readTunedLens,
  type SeedSamples,
  type SnrDifference,
  type SnrRow,
  type SnrSamples,
  type Steps,
  seededMeans,
  severalTokens,
  snrSteps,
  summarise,
  TUNED_LENS_FOLDER,
  through,
} from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { readExamples } from '@/lib/data/example-source';
import { Random } from '@/lib/random';
import type { WeightChoice } from '@/lib/vocabulary';
import {
  currentMetric,
  formerNames,
  intervalsOf,
  intervalsText,
  METRIC_NAMES,
  type MetricName,
  RESAMPLES,
  SIGNAL_METRICS,
} from '@/lib/vocabulary';
import { finish, type Io } from '../io';
import { withDevice, withJson, withTokenizerOption, withWeights } from '../options';
import { about, type Provenance, printJson, table } from '../output';
import { choices, wholeNumber, words } from '../parse';
import { type DeviceOptions, folderOf, openCheckpointOf, openSession } from '../session';
import { type NamedToken, namerOf, showToken } from '../tokenizers';

interface SnrOptions extends DeviceOptions {
  readonly models: string[];
  readonly examples: string;
  readonly lens?: ('logit' | 'tuned')[];
  readonly tuned?: string[];
  readonly metric?: MetricName[];
  readonly preset?: 'paper'[];
  readonly resamples: number;
  readonly seed: number;
  readonly weights?: WeightChoice;
  readonly tokenizer?: string;
  readonly json?: boolean;
}

const SEED = 42;

/** Signal of the answer per layer over many prompts; two models on the same prompts with a paired test. */
export function snrCommand(program: Command, io: Io, line: string): void {
  withJson(
    withDevice(
      withTokenizerOption(
        withWeights(program.command('snr').description('signal-to-noise per layer over a batch of prompts')),
      ),
    ),
  )
    .requiredOption('--models <a,b>', 'one model, or two to compare; seeds of one joined by +', words('--models'))
    .requiredOption(
      '--examples <file|demo:n|stories:n|babilong-paper:folder|babilong-script:folder>',
      'JSON lines; n held-out stories of the demo task; BABILong as the paper or its script takes it',
    )
    .option(
      '--lens <logit|tuned>',
      'which lens; default logit, with --preset paper tuned',
      choices('--lens', ['logit', 'tuned']),
    )
    .option('--tuned <a,b>', 'folder of the tuned lens of each model', words('--tuned'))
    .option('--metric <list>', SIGNAL_METRICS.join(', '), choices('--metric', METRIC_NAMES))
    .option(
      '--preset <paper>',
      "the paper's figure: needle probability through the tuned lens, its layer labels",
      choices('--preset', ['paper']),
    )
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap and of generated stories', wholeNumber('--seed', 0), SEED)
    .action(async (options: SnrOptions) => {
      const { preset } = options;
      if (options.models.length > 2) throw new InputError('--models takes one model or two.');
      const groups = options.models.map((group) => group.split('+'));
      const metrics = preset ? (['target_prob'] as const) : options.metric?.map(currentMetric);
      const { lenses, notes: lensNotes } = await lensesOf(options, groups, io);
      const notes = [...formerNames(options.metric ?? []), ...lensNotes];
      const results: {
        provenance: Provenance;
        targets: readonly NamedToken[];
        samples: SeedSamples;
        answers: Float64Array[] | undefined;
      }[] = [];
      for (const [g, group] of groups.entries()) {
        const seeds: SnrSamples[] = [];
        const scores: Float64Array[] = [];
        let provenance: Provenance | undefined;
        let targets: readonly NamedToken[] = [];
        for (const [k, name] of group.entries()) {
          const checkpoint = await openCheckpointOf({ ...options, model: name }, io);
          const examples = await readExamples(options, checkpoint);
          const named = await namerOf(checkpoint);
          targets = examples.map(({ target }) => named(target));
          const translators = lenses && (await readTunedLens(lenses[g][k], checkpoint.config.d));
          if (lenses) for (const fault of lensFaults(await readHeldOut(lenses[g][k]))) io.err(`${name}: ${fault}\n`);
          const session = await openSession(checkpoint, { ...options, model: name }, line, io);
          const steps = snrSteps(session.model, examples, { metrics, translators });
          seeds.push(finish(through(steps, percent), 'snr: %', io));
          const several = severalTokens(examples);
          if (several > 0) {
            if (g + k === 0) notes.push(severalNote(several, examples.length));
            scores.push(finish(answerLogprobSteps(session.model, examples), 'answer', io));
          }
          const model = [provenance?.model, session.provenance.model].filter(Boolean).join('+');
          provenance = { ...session.provenance, model };
          session.model.dispose();
        }
        const answers = scores.length === group.length ? scores : undefined;
        results.push({
          provenance: provenance as Provenance,
          targets,
          samples: preset ? seeds.map(paperLabels) : seeds,
          answers,
        });
      }
      for (const note of notes) io.err(`${note}\n`);
      const resampling = () => ({
        random: new Random(options.seed),
        seeds: new Random(options.seed + 1),
        resamples: options.resamples,
      });
      const intervals = intervalsOf(groups.map(({ length }) => length));
      const summary = results.map(({ provenance, targets, samples, answers }, g) => ({
        model: provenance.model,
        seeds: groups[g].length,
        ...about(provenance),
        targets,
        rows: summarise(samples, resampling()),
        ...(answers && {
          answer_logprob: seededMeans(
            answers.map((own) => [own]),
            resampling(),
          )[0],
        }),
      }));
      const difference =
        results.length === 2 ? compare(results[0].samples, results[1].samples, resampling()) : undefined;
      const lens = lenses ? 'tuned' : 'logit';
      const n = results[0].samples[0].n;
      if (options.json)
        return printJson(io, {
          lens,
          examples: n,
          intervals,
          notes,
          models: summary,
          ...(difference && { difference }),
        });
      for (const { model, seeds, targets, rows, answer_logprob: whole } of summary) {
        io.out(
          `${model}, ${lens} lens, ${n} examples${seeds > 1 ? `, mean of ${seeds} seeds` : ''}; ${intervalsText(intervals)}\n${targetsLine(targets)}\n${table(rows.map(shown))}\n`,
        );
        if (whole) io.out(`ln p of the whole answer\n${table([{ ...whole }])}\n`);
      }
      if (difference)
        io.out(`${results[1].provenance.model} − ${results[0].provenance.model}\n${table(difference.map(shown))}`);
    });
}

/**
 * The folder of every model's tuned lens, undefined for the logit lens. The paper reads through tuned lenses: its preset takes
 * those that lie with the models, and says so where one is missing.
 * @throws InputError where tuned lenses are asked for and not named
 */
async function lensesOf(
  { lens, tuned, preset }: Pick<SnrOptions, 'lens' | 'tuned' | 'preset'>,
  groups: readonly (readonly string[])[],
  io: Io,
): Promise<{ lenses?: readonly (readonly string[])[]; notes: string[] }> {
  if (tuned || lens?.[0] === 'tuned') {
    const lenses = (tuned ?? []).map((group) => group.split('+'));
    if (lenses.length === groups.length && lenses.every((group, g) => group.length === groups[g].length))
      return { lenses, notes: [] };
    throw new InputError(`A tuned lens needs --tuned with one folder for each of the ${groups.flat().length} models.`);
  }
  if (!preset || lens)
    return { notes: preset ? ["The paper's figure is of tuned lenses; this is the logit lens."] : [] };
  const missing: string[] = [];
  const lenses: string[][] = [];
  for (const group of groups) {
    const own: string[] = [];
    for (const model of group) {
      const folder = join((await folderOf({ model }, io)).path, TUNED_LENS_FOLDER);
      own.push(folder);
      if (!existsSync(folder)) missing.push(model);
    }
    lenses.push(own);
  }
  if (missing.length === 0) return { lenses, notes: [] };
  const note = `The paper's figure is of tuned lenses, and ${missing.join(', ')} ${missing.length > 1 ? 'have' : 'has'} none: this is the logit lens. Fit one with "statescope tuned-lens".`;
  return { notes: [note] };
}

const severalNote = (several: number, n: number) =>
  `${several} of ${n} answers have several tokens: every metric reads the first only; "answer_logprob" is ln p of the whole answer, each token given those before it.`;

/** As the paper draws them: "k" is the output of block k counted from 0, n the real output; block 0 is not shown. */
function paperLabels({ entries, n, values }: SnrSamples): SnrSamples {
  const first = entries.indexOf('layer 0') + 1;
  return {
    n,
    entries: entries.slice(first).map((_, k) => String(k + 1)),
    values: new Map([...values].map(([metric, series]) => [metric, series.slice(first)])),
  };
}

const shown = ({ entry, metric, ...rest }: SnrRow | SnrDifference) => ({ metric, entry, ...rest });

/** What is measured, each token once, the most frequent first. */
function targetsLine(targets: readonly NamedToken[]): string {
  const counts = new Map<string, number>();
  for (const target of targets) counts.set(showToken(target), (counts.get(showToken(target)) ?? 0) + 1);
  const listed = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([token, count]) => (count > 1 ? `${token} ×${count}` : token));
  return `targets: ${listed.slice(0, TARGETS_SHOWN).join(', ')}${listed.length > TARGETS_SHOWN ? ', …' : ''}`;
}

const TARGETS_SHOWN = 12;

const percent = ({ done, total }: Steps): Steps => ({ done: Math.floor((100 * done) / total), total: 100 });
