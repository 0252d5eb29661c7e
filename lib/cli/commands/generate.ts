import type { Command } from 'commander';
import { InputError } from '@/lib/checkpoint';
import { type DecodingState, disposeState, extend, type Model } from '@/lib/models';
import { loadTokenizer } from '@/lib/tokenizer';
import { readTokens } from '../input';
import { type Io, progress } from '../io';
import { type CommonOptions, withCommon } from '../options';
import { printJson } from '../output';
import { positiveNumber, wholeNumber } from '../parse';
import { chooser, type SamplingOptions } from '../sampling';
import { openCheckpointOf, openSession } from '../session';

interface GenerateOptions extends CommonOptions, SamplingOptions {
  readonly maxNewTokens: number;
  readonly cache: boolean;
}

/** Continues every row of the input; greedy unless a temperature is given. */
export function generateCommand(program: Command, io: Io, line: string): void {
  withCommon(program.command('generate').description('continue the input'))
    .requiredOption('--max-new-tokens <n>', 'how many tokens to add', wholeNumber('--max-new-tokens', 1))
    .option('--no-cache', 'run the whole text again for every token')
    .option('--temperature <t>', 'sample instead of taking the best token', positiveNumber('--temperature'))
    .option('--top-k <k>', 'sample among the k best tokens', wholeNumber('--top-k', 1))
    .option('--seed <n>', 'of the sampling', wholeNumber('--seed', 0), 0)
    .action(async (options: GenerateOptions) => {
      if (options.topK !== undefined && options.temperature === undefined)
        throw new InputError('--top-k needs --temperature: without one the best token is always taken.');
      const checkpoint = await openCheckpointOf(options, io);
      const rows = await readTokens(options, checkpoint);
      const { model } = await openSession(checkpoint, options, line, io);
      const choose = chooser(options);
      const predict = options.cache ? cached : uncached;
      const bar = progress(io, 'token');
      const tokens = rows.map((row) => {
        const added: number[] = [];
        for (const logits of predict(model, row, added)) {
          added.push(choose(logits));
          bar.at(added.length, options.maxNewTokens);
          if (added.length === options.maxNewTokens) break;
        }
        return added;
      });
      bar.end();
      const tokenizer = checkpoint.tokenizerPath ? await loadTokenizer(checkpoint.tokenizerPath) : undefined;
      const text = tokenizer ? tokens.map((ids) => tokenizer.decode(ids)) : [];
      if (options.json) return printJson(io, { tokens, text });
      tokens.forEach((ids, row) => {
        io.out(`${text[row] ?? ids.join(' ')}\n`);
      });
    });
}

/** Logits after the text so far, again and again; whoever reads them appends to `added` before the next. */
type Predictor = (
  model: Model,
  row: readonly number[],
  added: readonly number[],
) => Generator<Float32Array, void, void>;

const uncached: Predictor = function* (model, row, added) {
  for (;;) {
    const logits = model.forward([[...row, ...added]], { logits: 'last' });
    const values = (logits.dataSync() as Float32Array).slice();
    logits.dispose();
    yield values;
  }
};

const cached: Predictor = function* (model, row, added) {
  let state: DecodingState | undefined;
  let unread: readonly number[] = row;
  try {
    for (;;) {
      const next = extend(model, [unread], state);
      if (state) disposeState(state);
      state = next.state;
      const values = (next.logits.dataSync() as Float32Array).slice();
      next.logits.dispose();
      yield values;
      unread = added.slice(-1);
    }
  } finally {
    if (state) disposeState(state);
  }
};
