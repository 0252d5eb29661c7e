import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import {
  type ClassRemoval,
  type CurvesByOrder,
  classRemovalSteps,
  type FaithfulnessRequest,
  faithfulnessBudget,
  faithfulnessSteps,
  ORDERS,
  type Order,
  type Span,
  summariseFaithfulness,
} from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import { readExamples } from '@/lib/data/example-source';
import { Random } from '@/lib/random';
import { intervalsOf, intervalsText, RESAMPLES, WATCHED, type Watched } from '@/lib/vocabulary';
import { announce, type CausalOptions, questionOf, withCausal } from '../causal';
import { curvesSvg } from '../faithfulnessPlot';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, type Provenance, printJson, table, withInterval } from '../output';
import { choices, wholeNumber, words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

interface FaithfulnessOptions extends Omit<CausalOptions, 'model' | 'layers' | 'out'> {
  /** Names, or one once a model is chosen. */
  readonly model?: string[];
  readonly examples?: string;
  readonly orders: Order[];
  readonly watch: Watched[];
  readonly points: number;
  readonly draws: number;
  readonly plot?: string;
  readonly seed: number;
  readonly resamples: number;
}

type Asked = FaithfulnessRequest & {
  readonly needle?: Span;
  readonly competing?: readonly Span[];
  readonly question?: readonly Span[];
};

/** Which map says best what an answer rests on: deletion and insertion curves. */
export function faithfulnessCommand(program: Command, io: Io, line: string): void {
  const command = program
    .command('faithfulness')
    .description('which map, rollout or attribution says best what an answer rests on: deletion and insertion curves');
  withCausal(command, {
    targetRequired: false,
    layers: false,
    model: new Option('--model <a,b>', 'one model, or several').argParser(words('--model')),
  })
    .option('--examples <file|demo:n>', 'a batch instead: JSON lines; or n held-out stories of the demo task')
    .option('--orders <list>', ORDERS.join(', '), choices('--orders', ORDERS), [...ORDERS])
    .option('--watch <what>', 'logit (of the target, less that of the foil) or logprob', choices('--watch', WATCHED), [
      'logit',
    ])
    .option('--points <n>', 'steps of a curve', wholeNumber('--points', 1), 10)
    .option('--draws <n>', 'random orders that are averaged', wholeNumber('--draws', 1), 5)
    .option('--plot <file>', 'the curves as an SVG file')
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of random orders, of the bootstrap and of generated stories', wholeNumber('--seed', 0), 42)
    .action(async (options: FaithfulnessOptions & { readonly out?: string }) => {
      if (options.out !== undefined)
        throw new InputError('faithfulness writes no tensors: take --json for its numbers, or --plot for its curves.');
      if (options.plot !== undefined && !options.plot.endsWith('.svg'))
        throw new InputError(`--plot takes a file that ends in .svg, not "${options.plot}".`);
      const names = options.model ?? [];
      if (names.length === 0) throw new InputError('Name a model with --model, or several as --model A,B.');
      const found: { readonly model: string; readonly curves: CurvesByOrder[]; readonly classes: ClassRemoval[][] }[] =
        [];
      let provenance: Provenance | undefined;
      for (const name of names) {
        const checkpoint = await openCheckpointOf({ ...options, model: name }, io);
        const requests = await requestsOf(options, checkpoint, io);
        const session = await openSession(checkpoint, { ...options, model: name }, line, io);
        provenance = session.provenance;
        const budgets = requests.map((request) => faithfulnessBudget(session.model, request));
        announce(
          io,
          'sets of removed sources',
          budgets.reduce((most, budget) => (budget.bytes > most.bytes ? budget : most)),
        );
        const random = new Random(options.seed);
        const own = { model: checkpoint.name, curves: [] as CurvesByOrder[], classes: [] as ClassRemoval[][] };
        for (const request of requests) {
          own.curves.push(finish(faithfulnessSteps(session.model, request, random), 'block', io));
          const { needle } = request;
          if (needle)
            own.classes.push(finish(classRemovalSteps(session.model, { ...request, needle }, random), 'block', io));
        }
        session.model.dispose();
        found.push(own);
      }
      const prompts = found[0].curves.length;
      const models = found.map(({ model, curves, classes }) => ({
        model,
        orders: summariseFaithfulness(
          curves,
          prompts > 1 ? { random: new Random(options.seed + 1), resamples: options.resamples } : undefined,
        ),
        ...(classes.length > 0 && { classes: summariseClasses(classes) }),
      }));
      const result = {
        ...(provenance && { device: provenance.device, ...about(provenance) }),
        examples: prompts,
        watch: options.watch[0],
        points: options.points,
        ...(prompts > 1 && { intervals: intervalsOf([1]) }),
        models,
      };
      if (options.plot !== undefined) await write(options.plot, curvesSvg(models, options.watch[0]));
      if (options.json) return printJson(io, result);
      for (const { model, orders, classes } of models) {
        const shown = orders.map(({ order, deletion_area, insertion_area, above_random, frozen_norms: frozen }) => ({
          order,
          'deletion (low is good)': withInterval(deletion_area),
          'insertion (high is good)': withInterval(insertion_area),
          'above random': withInterval(above_random ?? null),
          'norms frozen: deletion': withInterval(frozen.deletion_area),
          insertion: withInterval(frozen.insertion_area),
        }));
        io.out(
          `${model}: ${prompts} example${prompts > 1 ? `s; ${intervalsText(intervalsOf([1]))}` : ''}\n${table(shown)}`,
        );
        if (classes) {
          const { largest, of, by_class } = classes;
          io.out(
            `classes removed: the one with the largest share of norms changes the answer more than as many other tokens in ${largest} of ${of} prompts\n${table(by_class)}`,
          );
        }
      }
    });
}

/** Means over prompts, and how often the class that is read most is also the one that counts, for its size. */
function summariseClasses(prompts: readonly (readonly ClassRemoval[])[]) {
  const names = [...new Set(prompts.flatMap((prompt) => prompt.map(({ name }) => name)))];
  const mean = (values: readonly number[]) => {
    const finite = values.filter(Number.isFinite);
    return finite.length === 0 ? null : finite.reduce((sum, value) => sum + value, 0) / finite.length;
  };
  const most = prompts.map((prompt) => prompt.reduce((a, b) => (b.share > a.share ? b : a)));
  const comparable = most.filter(({ otherChange }) => Number.isFinite(otherChange));
  return {
    largest: comparable.filter(({ change, otherChange }) => Math.abs(change) > Math.abs(otherChange)).length,
    of: comparable.length,
    by_class: names.map((name) => {
      const own = prompts.flatMap((prompt) => prompt.filter((one) => one.name === name));
      return {
        class: name,
        largest_in: most.filter((one) => one.name === name).length,
        tokens: mean(own.map(({ tokens }) => tokens)),
        norm_share: mean(own.map(({ share }) => share)),
        change: mean(own.map(({ change }) => change)),
        change_of_as_many_others: mean(own.map(({ otherChange }) => otherChange)),
        change_norms_frozen: mean(own.map(({ frozenNorms }) => frozenNorms.change)),
      };
    }),
  };
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The plot cannot be written to ${dirname(resolve(file))} (${cause.code ?? cause.message}).`);
  });
}

/** The prompts of the options. @throws InputError */
async function requestsOf(options: FaithfulnessOptions, checkpoint: Checkpoint, io: Io): Promise<Asked[]> {
  const common = {
    orders: options.orders,
    watch: options.watch[0],
    points: options.points,
    draws: options.draws,
    memory: options.maxMemory * 2 ** 20,
  };
  if (options.examples !== undefined) {
    const examples = await readExamples({ examples: options.examples, seed: options.seed }, checkpoint);
    if (examples.length === 0) throw new InputError('There are no examples: give at least one prompt.');
    return examples.map((example) => ({ ...example, ...common }));
  }
  if (options.target === undefined) throw new InputError('Give --target of one prompt, or a batch as --examples.');
  const [tokens] = await readTokens(options, checkpoint);
  return [{ tokens, position: options.position, ...(await questionOf(options, checkpoint, io)), ...common }];
}
