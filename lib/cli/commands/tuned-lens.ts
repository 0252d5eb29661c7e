import type { Command } from 'commander';
import { type HeldOut, lensFault } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { loadTokenizer, tokenizerMissing } from '@/lib/tokenizer';
import { readChunks, TUNED_LENS_DEFAULTS, trainTunedLens } from '@/lib/training/tuned-lens';
import type { Io } from '../io';
import { withDevice, withJson, withTokenizerOption } from '../options';
import { printJson, table } from '../output';
import { positiveNumber, wholeNumber } from '../parse';
import { type ModelOptions, openCheckpointOf, openSession } from '../session';

interface TunedLensOptions extends ModelOptions {
  readonly data: string;
  readonly out: string;
  readonly steps: number;
  readonly length: number;
  readonly tokensPerStep: number;
  readonly lr: number;
  readonly seed: number;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const LENGTH = 2048;

/** Fits a tuned lens; Ctrl-C stops after the current step with the state saved. */
export function tunedLensCommand(program: Command, io: Io, line: string): void {
  const { steps, tokensPerStep, learningRate, seed } = TUNED_LENS_DEFAULTS;
  withJson(withDevice(withTokenizerOption(program.command('tuned-lens').description('fit a tuned lens to a model'))))
    .requiredOption('--model <name|folder>', 'a name that "models" lists, or a folder with config.json')
    .requiredOption(
      '--data <file>',
      '.txt, .jsonl with "text", .json with rows of token ids or with a "source" as train has it, also .gz; or demo:n, stories of the demo task',
    )
    .requiredOption('--out <folder>', 'where the lens goes, in the layout of the tuned-lens library')
    .option('--steps <n>', 'steps', wholeNumber('--steps', 1), steps)
    .option('--length <n>', 'tokens of a chunk of text', wholeNumber('--length', 1), LENGTH)
    .option('--tokens-per-step <n>', 'tokens of a step', wholeNumber('--tokens-per-step', 1), tokensPerStep)
    .option('--lr <x>', 'learning rate of the first step', positiveNumber('--lr'), learningRate)
    .option('--seed <n>', 'of the order of the chunks', wholeNumber('--seed', 0), seed)
    .option('--resume', 'go on from the state in the folder')
    .action(async (options: TunedLensOptions) => {
      const checkpoint = await openCheckpointOf(options, io);
      const chunks = await readChunks(options.data, options.length, checkpoint.config.V, () => {
        if (checkpoint.tokenizerPath) return loadTokenizer(checkpoint.tokenizerPath);
        throw new InputError(
          `${tokenizerMissing(checkpoint.name, checkpoint.path)}; or give the data as .json token ids.`,
        );
      });
      const { model } = await openSession(checkpoint, options, line, io);
      const stop = new AbortController();
      const onInterrupt = () => stop.abort();
      process.once('SIGINT', onInterrupt);
      const settings = {
        ...TUNED_LENS_DEFAULTS,
        steps: options.steps,
        tokensPerStep: options.tokensPerStep,
        learningRate: options.lr,
        seed: options.seed,
      };
      try {
        const result = await trainTunedLens(model, chunks, options.out, settings, {
          resume: options.resume,
          signal: stop.signal,
          onStep: ({ step, losses }) =>
            io.err(`step ${step} of ${options.steps}: KL ${mean(losses).toFixed(4)} nats, mean over layers\n`),
        });
        if (options.json) return printJson(io, result);
        if (result.finished && !result.held_out)
          io.err('held-out KL: not recorded, since fewer than ten chunks leave none to hold out\n');
        if (result.held_out) io.out(`held-out text, mean KL(final ‖ lens)\n${table(heldOutRows(result.held_out))}`);
        io.out(`${result.finished ? 'fitted' : 'stopped'} at step ${result.step}, in ${result.folder}\n`);
      } finally {
        process.removeListener('SIGINT', onInterrupt);
      }
    });
}

const heldOutRows = ({ layers }: HeldOut) =>
  layers.map((layer, k) => ({
    layer: k,
    tuned: layer.kl,
    logit: layer.logit_lens_kl,
    fitted: lensFault(layer) ?? 'yes',
  }));

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
