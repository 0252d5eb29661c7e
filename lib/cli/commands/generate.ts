import type { Command } from 'commander';
import { InputError, readSafetensors, writeSafetensors } from '@/lib/checkpoint';
import { generate, generateEach, type Sampling } from '@/lib/generation';
import { type DecodingState, disposeState, exportState, importState, type Model } from '@/lib/models';
import { loadTokenizer } from '@/lib/tokenizer';
import { readTokens, requireEqualLengths } from '../input';
import { type Io, progress } from '../io';
import { type CommonOptions, withCommon } from '../options';
import { about, metadataOf, type Provenance, printJson, requireWritable } from '../output';
import { positiveNumber, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';
import { namerOf } from '../tokenizers';

interface GenerateOptions extends CommonOptions, Sampling {
  readonly maxNewTokens: number;
  readonly cache: boolean;
  readonly stateIn?: string;
  readonly stateOut?: string;
}

/** Continues every row of the input; greedy unless a temperature is given. */
export function generateCommand(program: Command, io: Io, line: string): void {
  withCommon(program.command('generate').description('continue the input'))
    .requiredOption(
      '--max-new-tokens <n>',
      'how many tokens to add; 0 with --state-out only reads the input',
      wholeNumber('--max-new-tokens', 0),
    )
    .option('--no-cache', 'run the whole text again for every token')
    .option('--temperature <t>', 'sample instead of taking the best token', positiveNumber('--temperature'))
    .option('--top-k <k>', 'sample among the k best tokens', wholeNumber('--top-k', 1))
    .option('--top-p <p>', 'sample among the best tokens that together reach probability p', positiveNumber('--top-p'))
    .option('--seed <n>', 'of the sampling', wholeNumber('--seed', 0), 0)
    .option('--state-in <file>', 'go on from a state that --state-out wrote (edited or not)')
    .option('--state-out <file>', 'write the state after the whole text here: .safetensors')
    .action(async (options: GenerateOptions) => {
      await check(options);
      const checkpoint = await openCheckpointOf(options, io);
      const rows = await readTokens(options, checkpoint);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const tokens = await addedTokens(model, rows, options, provenance, io);
      const tokenizer = checkpoint.tokenizerPath ? await loadTokenizer(checkpoint.tokenizerPath) : undefined;
      const text = tokenizer ? tokens.map((ids) => tokenizer.decode(ids)) : [];
      const named = await namerOf(checkpoint);
      const texts = tokens.map((ids) => ids.map((id) => named(id).text));
      if (options.json) return printJson(io, { ...about(provenance), tokens, token_texts: texts, text });
      tokens.forEach((ids, row) => {
        io.out(`${text[row] ?? ids.join(' ')}\n`);
      });
    });
}

/** @throws InputError before anything is loaded */
async function check({ maxNewTokens, temperature, topK, topP, cache, stateIn, stateOut }: GenerateOptions) {
  if (maxNewTokens === 0 && stateOut === undefined)
    throw new InputError('--max-new-tokens takes at least 1; 0 only makes sense with --state-out FILE.');
  for (const [option, value] of [
    ['--top-k', topK],
    ['--top-p', topP],
  ])
    if (value !== undefined && temperature === undefined)
      throw new InputError(`${option} needs --temperature: without one the best token is always taken.`);
  if (topP !== undefined && topP > 1)
    throw new InputError(`--top-p takes a number above 0 and up to 1, not "${topP}".`);
  if (!cache && (stateIn ?? stateOut) !== undefined)
    throw new InputError('--no-cache keeps no state: leave it out to use --state-in or --state-out.');
  if (stateOut !== undefined && !stateOut.endsWith('.safetensors'))
    throw new InputError(`--state-out takes a file that ends in .safetensors, not "${stateOut}".`);
  await requireWritable(stateOut, '--state-out');
}

async function addedTokens(
  model: Model,
  rows: number[][],
  { maxNewTokens, cache, stateIn, stateOut, ...sampling }: GenerateOptions,
  provenance: Provenance,
  io: Io,
): Promise<number[][]> {
  const bar = progress(io, 'token');
  const options = { maxNewTokens, cache, sampling, onToken: bar.at };
  try {
    if (stateIn === undefined && stateOut === undefined) return generateEach(model, rows, options);
    const start = stateIn === undefined ? undefined : await readState(model, stateIn);
    const { tokens, state } = generate(model, requireEqualLengths(rows), { ...options, state: start });
    if (stateOut !== undefined)
      await writeSafetensors(stateOut, exportState(state as DecodingState), metadataOf(provenance));
    for (const each of [start, state]) if (each) disposeState(each);
    return tokens;
  } finally {
    bar.end();
  }
}

async function readState(model: Model, path: string): Promise<DecodingState> {
  return importState(model, await readSafetensors(path));
}
