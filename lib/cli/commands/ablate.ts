import type { Command } from 'commander';
import {
  type Ablated,
  ablationBudget,
  ablationJson,
  ablationSteps,
  type LambdaRun,
  lambdaBudget,
  lambdaSteps,
  METHODS,
  type Method,
  readingTensors,
  UNITS,
  type Unit,
} from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { rowAt } from '../blocks';
import {
  announce,
  type CausalOptions,
  causalRequest,
  namedQuestion,
  questionOf,
  strongest,
  withCausal,
  withMixer,
} from '../causal';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { choices, indices, wholeNumber, words } from '../parse';
import { readReference, referenceNote, withReference } from '../reference';
import { openCheckpointOf, openSession } from '../session';

interface AblateOptions extends CausalOptions {
  readonly unit: Unit[];
  readonly method: Method[];
  readonly reference?: string;
  readonly candidates?: number[];
  readonly seed: number;
  readonly lambda?: number[];
  readonly together?: boolean;
  readonly batchIndex: number;
}

/** Ablation of blocks, mixers, heads or channels, and overrides of λ. */
export function ablateCommand(program: Command, io: Io, line: string): void {
  const command = program.command('ablate').description('replace what a part brings, or λ, and measure the answer');
  withReference(withMixer(withCausal(command)))
    .option('--unit <unit>', UNITS.join(', '), choices('--unit', UNITS), ['block'])
    .option('--method <method>', METHODS.join(', '), choices('--method', METHODS), ['zero'])
    .option('--candidates <list>', 'token ids for snr_candidates', indices('--candidates'))
    .option('--seed <n>', 'of resample, and of stories', wholeNumber('--seed', 0), 0)
    .option('--lambda <list>', 'override λ of differential layers by these values instead', numbers)
    .option('--together', 'override λ of all layers at once')
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: AblateOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const tokens = rowAt(await readTokens(options, checkpoint), options.batchIndex);
      const { candidates, position, seed, lambda, together } = options;
      const common = {
        tokens,
        candidates,
        position,
        ...(await questionOf(options, checkpoint, io)),
        ...causalRequest(options, checkpoint.config),
      };
      if (lambda && options.reference !== undefined)
        throw new InputError('--lambda sets λ and takes nothing from a reference: leave --reference out.');
      const reference = await readReference(options, checkpoint);
      const answer = await namedQuestion(common, checkpoint, io);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const [unit, method] = [options.unit[0], options.method[0]];
      const request = { ...common, unit, method, reference, seed };
      const overrides = lambda && { ...common, values: lambda, together };
      const budget = overrides ? lambdaBudget(model, overrides) : ablationBudget(model, request);
      announce(io, overrides ? 'override of λ' : `${method} ablation of every ${unit}`, budget);
      const {
        base,
        metric,
        runs,
        reference: used,
      } = overrides
        ? { ...finish(lambdaSteps(model, overrides), 'block', io), reference: null }
        : ablationJson(finish(ablationSteps(model, request), 'block', io));
      if (options.out) await writeTensors(options.out, readingTensors(runs), provenance);
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          ...answer,
          metric,
          reference: used,
          base,
          runs,
          memory_bytes: budget.bytes,
        });
      const rows = strongest<Run>(runs, ({ change }) => change).map(shown);
      io.out(
        `unchanged ${base.value.toFixed(4)} (${metric}), answer ${base.answer}\n${referenceNote(used)}${table(rows)}`,
      );
    });
}

type Run = Ablated | LambdaRun;

const numbers = (text: string): number[] =>
  words('--lambda')(text).map((word) => {
    const value = Number(word);
    if (Number.isFinite(value)) return value;
    throw new InputError(`--lambda takes numbers separated by commas, not "${word}".`);
  });

const shown = (run: Run) => ({
  ...('lambda' in run
    ? { layers: run.layers.join(' '), lambda: run.lambda }
    : { layer: run.layer, part: [run.mixer, run.unit, run.index].filter((each) => each !== undefined).join(' ') }),
  value: run.value,
  change: run.change,
  change_frozen_norms: run.frozen_norms.change,
  target_prob: run.target_prob,
  snr_vocab: run.snr_vocab,
  answer: run.answer,
});
