import type { Command } from 'commander';
import {
  compare,
  lensFaults,
  readHeldOut,
  readTunedLens,
  type SnrDifference,
  type SnrRow,
  type SnrSamples,
  type Steps,
  snrSteps,
  summarise,
  through,
} from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { Random } from '@/lib/random';
import type { WeightFormat } from '@/lib/vocabulary';
import { currentMetric, formerNames, METRIC_NAMES, type MetricName, RESAMPLES, SIGNAL_METRICS } from '@/lib/vocabulary';
import { readExamples } from '../examples';
import { finish, type Io } from '../io';
import { withDevice, withJson, withWeights } from '../options';
import { about, type Provenance, printJson, table } from '../output';
import { choices, wholeNumber, words } from '../parse';
import { type DeviceOptions, openCheckpointOf, openSession } from '../session';

interface SnrOptions extends DeviceOptions {
  readonly models: string[];
  readonly examples: string;
  readonly lens: ('logit' | 'tuned')[];
  readonly tuned?: string[];
  readonly metric?: MetricName[];
  readonly preset?: 'paper'[];
  readonly resamples: number;
  readonly seed: number;
  readonly weights?: WeightFormat;
  readonly json?: boolean;
}

const SEED = 42;

/** Signal of the answer per layer over many prompts; two models on the same prompts with a paired test. */
export function snrCommand(program: Command, io: Io, line: string): void {
  withJson(
    withDevice(withWeights(program.command('snr').description('signal-to-noise per layer over a batch of prompts'))),
  )
    .requiredOption('--models <a,b>', 'one model, or two to compare', words('--models'))
    .requiredOption('--examples <file|demo:n>', 'JSON lines; or n held-out stories of the demo task')
    .option('--lens <logit|tuned>', 'which lens', choices('--lens', ['logit', 'tuned']), ['logit'])
    .option('--tuned <a,b>', 'folder of the tuned lens of each model', words('--tuned'))
    .option('--metric <list>', SIGNAL_METRICS.join(', '), choices('--metric', METRIC_NAMES))
    .option(
      '--preset <paper>',
      "the paper's figure: needle probability, its layer labels",
      choices('--preset', ['paper']),
    )
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap and of generated stories', wholeNumber('--seed', 0), SEED)
    .action(async (options: SnrOptions) => {
      const { models, tuned = [], preset } = options;
      if (models.length > 2) throw new InputError('--models takes one model or two.');
      const isTuned = options.lens[0] === 'tuned' || tuned.length > 0;
      if (isTuned && tuned.length !== models.length)
        throw new InputError(`A tuned lens needs --tuned with one folder for each of the ${models.length} models.`);
      for (const note of formerNames(options.metric ?? [])) io.err(`${note}\n`);
      const metrics = preset ? (['target_prob'] as const) : options.metric?.map(currentMetric);
      const results: { provenance: Provenance; samples: SnrSamples }[] = [];
      for (const [k, name] of models.entries()) {
        const checkpoint = await openCheckpointOf({ model: name }, io);
        const examples = await readExamples(options, checkpoint);
        const translators = isTuned ? await readTunedLens(tuned[k], checkpoint.config.d) : undefined;
        if (isTuned) for (const fault of lensFaults(await readHeldOut(tuned[k]))) io.err(`${name}: ${fault}\n`);
        const { model, provenance } = await openSession(checkpoint, { ...options, model: name }, line, io);
        const samples = finish(through(snrSteps(model, examples, { metrics, translators }), percent), 'snr: %', io);
        results.push({ provenance, samples: preset ? paperLabels(samples) : samples });
        model.dispose();
      }
      const resampling = () => ({ random: new Random(options.seed), resamples: options.resamples });
      const summary = results.map(({ provenance, samples }) => ({
        model: provenance.model,
        ...about(provenance),
        rows: summarise(samples, resampling()),
      }));
      const difference =
        results.length === 2 ? compare(results[0].samples, results[1].samples, resampling()) : undefined;
      const lens = isTuned ? 'tuned' : 'logit';
      if (options.json)
        return printJson(io, {
          lens,
          examples: results[0].samples.n,
          models: summary,
          ...(difference && { difference }),
        });
      for (const { model, rows } of summary) io.out(`${model}, ${lens} lens\n${table(rows.map(shown))}\n`);
      if (difference)
        io.out(`${results[1].provenance.model} − ${results[0].provenance.model}\n${table(difference.map(shown))}`);
    });
}

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

const percent = ({ done, total }: Steps): Steps => ({ done: Math.floor((100 * done) / total), total: 100 });
