import type { Tensor } from '@tensorflow/tfjs';
import type { Command } from 'commander';
import { answerLogprobs } from '@/lib/analysis';
import { NARROW_POINTS } from '@/lib/architectures/places';
import { type Checkpoint, InputError, type OutputTensor } from '@/lib/checkpoint';
import { type Model, matcher } from '@/lib/models';
import { answerOf } from '../causal';
import { readTokens, requireEqualLengths } from '../input';
import type { Io } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { about, printJson, printRows, requireWritable, table, writeTensors } from '../output';
import { words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const patternsOf = (names: readonly string[]): string[] =>
  names.flatMap((name) => (name === 'all' ? NARROW_POINTS : [name]));

interface RunOptions extends CommonOptions {
  readonly names?: string[];
  readonly answer?: string;
}

/** Forward pass; keeps the tensors at the hook points that were named, and scores an answer whole. */
export function runCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('run').description('forward pass, with the tensors at chosen hook points')))
    .option('--names <list>', 'hook names, with * as wildcard, or "all"', words('--names'))
    .option('--answer <text>', 'ln p of this answer after each row, all its tokens: a word or words, or a token id')
    .action(async (options: RunOptions) => {
      if (!options.names && options.answer === undefined)
        throw new InputError('Name hook points with --names, or an answer with --answer.');
      if (options.out !== undefined && !options.names)
        throw new InputError('--out writes the tensors of --names: name hook points, such as hook_logits.');
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const tokens = requireEqualLengths(await readTokens(options, checkpoint));
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const answers = options.answer === undefined ? [] : await scored(model, tokens, options.answer, checkpoint);
      const asked = options.names ?? [];
      const tensors = asked.length > 0 ? await tensorsOf(model, tokens, asked) : [];
      if (options.out) await writeTensors(options.out, tensors, provenance);
      const rows = tensors.map(summary);
      if (options.answer === undefined) return printRows(io, rows, options.json ?? false, provenance);
      if (options.json) return printJson(io, { ...about(provenance), answers, tensors: rows });
      for (const { row, logprob, tokens: own } of answers) {
        io.out(`row ${row}: ln p of the whole answer ${logprob.toFixed(4)}\n${table(own)}`);
        if (rows.length > 0) io.out('\n');
      }
      printRows(io, rows, false);
    });
}

/** ln p of an answer after each row, whole and token by token, each given those before it. */
async function scored(model: Model, rows: readonly number[][], text: string, checkpoint: Checkpoint) {
  const answer = await answerOf(text, checkpoint);
  const ids = answer.map(({ id }) => id);
  return rows.map((prompt, row) => {
    const logprobs = answerLogprobs(model, prompt, ids);
    const tokens = answer.map(({ id, text: own }, k) => ({ id, text: own, logprob: logprobs[k] }));
    return { row, logprob: logprobs.reduce((sum, value) => sum + value, 0), tokens };
  });
}

/** @throws InputError for a name that no hook point has */
async function tensorsOf(model: Model, tokens: number[][], asked: readonly string[]): Promise<OutputTensor[]> {
  const names = patternsOf(asked);
  const observed = ['hook_norm', 'hook_logits'].some((point) => names.some((name) => matcher(name)(point)));
  const { logits, cache } = model.runWithCache(tokens, { names, logits: observed ? 'all' : 'last' });
  logits.dispose();
  requireEveryName(asked, cache);
  return Promise.all([...cache].map(([name, tensor]) => toOutput(name, tensor)));
}

function requireEveryName(names: readonly string[], cache: ReadonlyMap<string, Tensor>): void {
  const unmatched = names.find((name) => name !== 'all' && ![...cache.keys()].some(matcher(name)));
  if (unmatched === undefined) return;
  throw new InputError(
    `No hook point of this model is called "${unmatched}": see "run --names all --json" for the names, or use * as wildcard.`,
  );
}

async function toOutput(name: string, tensor: Tensor): Promise<OutputTensor> {
  return { name, shape: tensor.shape, data: (await tensor.data()) as Float32Array };
}

function summary({ name, shape, data }: OutputTensor) {
  let [sum, top] = [0, 0];
  for (const value of data) {
    sum += value;
    top = Math.max(top, Math.abs(value));
  }
  return { name, shape, mean: sum / data.length, max_abs: top };
}
