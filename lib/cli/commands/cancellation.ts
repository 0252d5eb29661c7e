import type { Command } from 'commander';
import {
  type ByBranch,
  cancellationBatchSteps,
  cancellationBatchTensors,
  cancellationBudget,
  cancellationJson,
  cancellationSteps,
  cancellationTensors,
  type Estimate,
  type Span,
  withNeedles,
} from '@/lib/analysis';
import { InputError, type OutputTensor } from '@/lib/checkpoint';
import { Random } from '@/lib/random';
import { INTERVALS_TEXT, RESAMPLES } from '@/lib/vocabulary';
import { announce, type CausalOptions, causalRequest, questionOf, spansOf, withCausal } from '../causal';
import { readExamples } from '../examples';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { indices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession, type Session } from '../session';

interface CancellationOptions extends CausalOptions {
  readonly needle?: Span[];
  readonly examples?: string;
  readonly candidates?: number[];
  readonly seed: number;
  readonly resamples: number;
}

const FORMS = ['logit', 'norm'] as const;

/** What λ · branch 2 takes away from branch 1, per source token and layer. */
export function cancellationCommand(program: Command, io: Io, line: string): void {
  withCausal(program.command('cancellation').description('what the second branch of differential blocks takes away'), {
    targetRequired: false,
  })
    .option('--needle <start:end>', 'tokens that hold the answer', spansOf('--needle'))
    .option('--examples <file|demo:n>', 'a batch instead: JSON lines; or n held-out stories of the demo task')
    .option('--candidates <list>', 'token ids whose mean the target is held against', indices('--candidates'))
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap and of generated stories', wholeNumber('--seed', 0), 42)
    .action(async (options: CancellationOptions) => {
      await requireWritable(options.out);
      if (options.examples !== undefined) return ofBatch(options, options.examples, io, line);
      if (options.target === undefined || !options.needle)
        throw new InputError('Give --target and --needle of one prompt, or a batch as --examples.');
      const checkpoint = await openCheckpointOf(options, io);
      const [tokens] = await readTokens(options, checkpoint);
      const request = {
        tokens,
        needle: options.needle[0],
        position: options.position,
        candidates: options.candidates,
        ...(await questionOf(options, checkpoint)),
        ...causalRequest(options, checkpoint.config),
      };
      const session = await openSession(checkpoint, options, line, io);
      const budget = cancellationBudget(session.model, request);
      announce(io, 'cancellation', budget);
      const result = finish(cancellationSteps(session.model, request), 'layer', io);
      await write(options, session, cancellationTensors(result));
      if (options.json)
        return printJson(io, {
          ...about(session.provenance),
          ...cancellationJson(result),
          memory_bytes: budget.bytes,
        });
      io.out(table(result.layers.flatMap((layer) => FORMS.map((form) => row(layer, form, (value) => value)))));
    });
}

async function ofBatch(options: CancellationOptions, examples: string, io: Io, line: string): Promise<void> {
  const checkpoint = await openCheckpointOf(options, io);
  const batch = await readExamples({ examples, seed: options.seed }, checkpoint);
  const { layers, memory } = causalRequest(options, checkpoint.config);
  const session = await openSession(checkpoint, options, line, io);
  const resampling = () => ({ random: new Random(options.seed), resamples: options.resamples });
  const steps = cancellationBatchSteps(session.model, withNeedles(batch), { layers, memory, resampling });
  const { layers: summary } = finish(steps, 'layer', io);
  await write(options, session, cancellationBatchTensors(summary));
  if (options.json) return printJson(io, { ...about(session.provenance), examples: batch.length, layers: summary });
  const show = ({ mean, low, high }: Estimate) => `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
  const rows = summary.flatMap((layer) =>
    FORMS.map((form) => ({ ...row(layer, form, show), gain: show(layer[form].gain) })),
  );
  io.out(`${batch.length} examples, means with ${INTERVALS_TEXT}\n${table(rows)}`);
}

async function write({ out }: CancellationOptions, { provenance }: Session, tensors: OutputTensor[]): Promise<void> {
  if (out) await writeTensors(out, tensors, provenance);
}

/** One line of the table for people. */
function row<T, U>(
  layer: { layer: number; lambda: number } & Record<
    (typeof FORMS)[number],
    { share: ByBranch<T>; removed: { needle: T; noise: T } }
  >,
  form: (typeof FORMS)[number],
  show: (value: T) => U,
) {
  const { share, removed } = layer[form];
  return {
    layer: layer.layer,
    lambda: layer.lambda,
    form,
    needle_share_1: show(share.first),
    needle_share_2: show(share.second),
    needle_share_diff: show(share.difference),
    removed_needle: show(removed.needle),
    removed_noise: show(removed.noise),
  };
}
