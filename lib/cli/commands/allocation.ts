import { type Command, Option } from 'commander';
import {
  type AllocationRequest,
  allocationBatchSteps,
  allocationResultSteps,
  allocationTensors,
  answerLogprobSteps,
  drain,
  foundNote,
  type LayerAllocation,
  type LayerReads,
  type ReadModel,
  type Resampled,
  requireAllocations,
  type SnrExample,
  severalTokens,
} from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import { readExamples } from '@/lib/data/example-source';
import { withoutNeedle } from '@/lib/data/snr-examples';
import { Random } from '@/lib/random';
import { loadTokenizer } from '@/lib/tokenizer';
import { intervalsText, RESAMPLES, TOKEN_CLASSES } from '@/lib/vocabulary';
import { layersOf } from '../blocks';
import { announce, answerOf, type CausalOptions, partsOf, questionOf, withCausal } from '../causal';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, type Provenance, printJson, requireWritable, table, withInterval, writeTensors } from '../output';
import { wholeNumber, words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

interface AllocationOptions extends Omit<CausalOptions, 'model'> {
  /** Names, or one once a model is chosen. */
  readonly model?: string[];
  readonly models?: string[];
  readonly needle?: string;
  readonly competing?: string;
  readonly question?: string;
  readonly examples?: string;
  readonly seed: number;
  readonly resamples: number;
}

/** What every layer reads at the read-out, by class of token; `cancellation` is its former name. */
export function allocationCommand(program: Command, io: Io, line: string): void {
  register('allocation', program, io, line);
  register('cancellation', program, io, line);
}

const FORMERLY =
  '"cancellation" is now a part of "allocation", which this runs: see branch_1, lambda_branch_2, removed, cosine and rejection_db. The old name goes with the next release.';

function register(name: 'allocation' | 'cancellation', program: Command, io: Io, line: string): void {
  const former = name === 'cancellation';
  const description = former ? 'former name of allocation' : 'what every layer reads at one token, by class of token';
  withCausal(program.command(name, { hidden: former }).description(description), {
    targetRequired: false,
    model: new Option('--model <a,b>', 'one model, or several to compare; training seeds of one joined by +').argParser(
      words('--model'),
    ),
  })
    .option('--models <a,b>', 'the same', words('--models'))
    .option('--needle <text|start:end>', 'what decides the answer: a part of the prompt, or tokens')
    .option('--competing <list>', 'what names another answer: parts of the prompt, or tokens start:end')
    .option('--question <list>', 'the question: a part of the prompt, or tokens start:end')
    .option('--examples <file|demo:n|stories:n>', 'a batch instead: JSON lines; or n held-out stories of either pair')
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap and of generated stories', wholeNumber('--seed', 0), 42)
    .action(async (options: AllocationOptions) => {
      if (former) io.err(`${FORMERLY}\n`);
      await requireWritable(options.out);
      const groups = (options.models ?? options.model ?? []).map((group) => group.split('+'));
      if (groups.length === 0) throw new InputError('Name a model with --model, or two to compare as --models A,B.');
      const resampling = (): Resampled => ({
        prompts: new Random(options.seed),
        seeds: new Random(options.seed + 1),
        resamples: options.resamples,
      });
      const found: ReadModel[] = [];
      let provenance: Provenance | undefined;
      for (const names of groups) {
        const own = { names: [] as string[], reads: [] as (readonly LayerReads[])[][] };
        const scores: Float64Array[][] = [];
        for (const name of names) {
          const checkpoint = await openCheckpointOf({ ...options, model: name }, io);
          const examples = await requestsOf(options, checkpoint, io);
          const session = await openSession(checkpoint, { ...options, model: name }, line, io);
          const several = severalTokens(examples);
          if (several > 0 && options.examples !== undefined)
            io.err(`${severalNote(checkpoint.name, several, examples.length)}\n`);
          const guessed = examples.filter((one) => one.found).length;
          if (guessed > 0) io.err(`${foundNote(checkpoint.name, guessed, examples.length)}\n`);
          announce(io, 'allocation', requireAllocations(session.model, examples));
          own.reads.push(finish(allocationBatchSteps(session.model, examples), 'layer', io));
          if (several > 0) scores.push([finish(answerLogprobSteps(session.model, examples), 'answer', io)]);
          own.names.push(checkpoint.name);
          const warnings = [...(provenance?.warnings ?? []), ...(session.provenance.warnings ?? [])];
          provenance = { ...session.provenance, warnings };
          session.model.dispose();
        }
        found.push({ ...own, ...(scores.length === names.length && { answers: scores }) });
      }
      const result = {
        device: provenance?.device,
        ...(provenance && about(provenance)),
        ...drain(allocationResultSteps(found, resampling)),
      };
      const { examples: prompts, models, paired = [], intervals } = result;
      if (options.out && provenance) {
        const model = found.map(({ names }) => names.join('+')).join();
        await writeTensors(options.out, allocationTensors(result), { ...provenance, model });
      }
      if (options.json) return printJson(io, result);
      for (const { model, seeds, answer_logprob: whole, layers } of models) {
        const tokens = TOKEN_CLASSES.map((name) => `${name} ${plain(layers[0].tokens[name])}`).join(', ');
        io.out(
          `${model}: ${prompts} example${prompts > 1 ? 's' : ''}${seeds ? `, mean of ${seeds} training seeds` : ''}${intervals ? `; ${intervalsText(intervals)}` : ''}; tokens: ${tokens}\n${table(layers.flatMap(rowsOf))}`,
        );
        if (whole !== undefined) io.out(`ln p of the whole answer: ${withInterval(whole)}\n`);
      }
      for (const { models: names, layers } of paired)
        io.out(
          `needle against context, ${names[1]} − ${names[0]}\n${table(layers.map(({ layer, needle_against_context: one }) => ({ layer, ...one })))}`,
        );
    });
}

type Asked = AllocationRequest & Pick<SnrExample, 'answer' | 'found'>;

/** The prompts of the options. @throws InputError where a prompt has no needle. */
async function requestsOf(options: Omit<AllocationOptions, 'model'>, checkpoint: Checkpoint, io: Io): Promise<Asked[]> {
  const common = {
    layers: options.layers === 'all' ? undefined : layersOf(options.layers, checkpoint.config),
    memory: options.maxMemory * 2 ** 20,
  };
  if (options.examples !== undefined) {
    const examples = await readExamples({ examples: options.examples, seed: options.seed }, checkpoint);
    return examples.map(({ needle, ...example }, index) => {
      if (needle) return { ...example, needle, ...common };
      throw withoutNeedle(index);
    });
  }
  const { needle, competing, question, target } = options;
  if (target === undefined || needle === undefined)
    throw new InputError('Give --target and --needle of one prompt, or a batch as --examples.');
  const answer = (await answerOf(target, checkpoint)).map(({ id }) => id);
  const [tokens] = await readTokens(options, checkpoint);
  const tokenizer = checkpoint.tokenizerPath ? await loadTokenizer(checkpoint.tokenizerPath) : undefined;
  const spans = (name: string, text: string | undefined) => partsOf(name, text, options.prompt, tokenizer);
  return [
    {
      tokens,
      position: options.position,
      needle: spans('--needle', needle)[0],
      competing: spans('--competing', competing),
      question: spans('--question', question),
      ...(await questionOf(options, checkpoint, io)),
      ...(answer.length > 1 && { answer }),
      ...common,
    },
  ];
}

const severalNote = (model: string, several: number, n: number) =>
  `${several} of ${n} answers have several tokens in ${model}: what is said in logits is of the first only; "answer_logprob" is ln p of the whole answer, each token given those before it.`;

const plain = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

/** Lines of the table for people: the block, and of a differential one its branches. */
function rowsOf(one: LayerAllocation) {
  const parts = [['block', one.net] as const];
  if (one.branch_1 && one.lambda_branch_2)
    parts.push(['branch 1', one.branch_1] as never, ['λ·branch 2', one.lambda_branch_2] as never);
  return parts.map(([part, { norm_share, needle_against_context }]) => ({
    layer: one.layer,
    part,
    'needle/context': withInterval(needle_against_context),
    chance: Number.isFinite(one.chance) ? one.chance.toFixed(3) : '–',
    ...Object.fromEntries(TOKEN_CLASSES.map((name) => [name, withInterval(norm_share[name])])),
  }));
}
