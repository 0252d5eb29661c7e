import type { Command } from 'commander';
import { type CausalCellSummary, type CausalSummary, causalSummaryTensors, type Estimate } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { type PromptSweep, requestOfFile } from '@/lib/jobs';
import { projectRoot } from '@/lib/project-root';
import { type Intervals, intervalsText, RESAMPLES } from '@/lib/vocabulary';
import { type CausalOptions, layersName } from './causal';
import type { Io } from './io';
import { finishSweep, withBench, withEngine } from './jobs';
import { printJson, requireWritable, table, withInterval, writeTensors } from './output';
import { indices, wholeNumber } from './parse';

/** What a causal test over examples takes beside its own options. */
export interface CausalBatchOptions extends CausalOptions {
  readonly examples?: string;
  readonly resamples: number;
  readonly seed: number;
  readonly window?: number;
  readonly retry?: boolean;
}

/** @param seed default of `--seed` */
export const withExamples = (command: Command, seed: number): Command =>
  command
    .option(
      '--examples <file|demo:n>',
      'a batch instead, by class of token: JSON lines; or n held-out stories of the demo task',
    )
    .option('--window <n>', 'layers that follow each other and are changed together', wholeNumber('--window', 1))
    .option('--resamples <n>', 'of the bootstrap', wholeNumber('--resamples', 1), RESAMPLES)
    .option('--seed <n>', 'of the bootstrap, of stories, and of resample', wholeNumber('--seed', 0), seed)
    .option('--retry', 'of a batch: try examples again that failed');

interface Summary {
  readonly intervals: Intervals;
  readonly sources: readonly {
    readonly source: string;
    readonly examples: number;
    readonly models: readonly (CausalSummary & {
      readonly model: string;
      readonly seeds: number;
      readonly notes: readonly string[];
    })[];
  }[];
}

/**
 * A causal test over examples as a sweep: every example is kept once it is computed, so that the same command goes on where it ended,
 * and `statescope worker` can help.
 * @param asked the options of the kind
 * @throws InputError for options of one prompt
 */
export async function causalBatch(
  kind: 'patch' | 'knockout' | 'ablate',
  options: CausalBatchOptions,
  asked: Readonly<Record<string, unknown>>,
  onePrompt: Readonly<Record<string, unknown>>,
  { io, line }: { readonly io: Io; readonly line: string },
): Promise<void> {
  const { prompt, tokens, ids, target, foil, tokenizer } = options;
  const only: Readonly<Record<string, unknown>> = { prompt, tokens, ids, target, foil, tokenizer, ...onePrompt };
  const stray = Object.entries(only).find(([, value]) => value !== undefined && value !== false)?.[0];
  if (stray !== undefined)
    throw new InputError(
      `--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is of one prompt: leave it out with --examples, whose lines say what they are asked.`,
    );
  if (options.position !== -1)
    throw new InputError('--position is of one prompt: the lines of --examples say where they are read.');
  await requireWritable(options.out);
  const { model, examples, layers, mixer, window = 1, maxMemory, resamples, seed, weights } = options;
  const sweep: PromptSweep = await requestOfFile(
    {
      ...{ kind, models: model.split(','), examples: [examples], weights, resamples, seed },
      layers: layers === 'all' ? undefined : indices('--layers')(layers),
      ...{ mixer: mixer?.[0], window, memory_mb: maxMemory },
      ...asked,
    },
    projectRoot(),
  );
  await withEngine(async (engine) => {
    const made = await engine.submit(sweep.kind, sweep.request as never);
    if (options.retry) await engine.retry(made.id);
    io.err(`sweep ${made.id}: ${made.items} examples\n`);
    const device = await withBench(options, io, async (bench, signal) => {
      await finishSweep(engine, made.id, bench, signal, io);
      return bench.device.name;
    });
    const summary = (await engine.summary(made)) as Summary;
    for (const { notes } of summary.sources.flatMap(({ models }) => models))
      for (const note of notes) io.err(`${note}\n`);
    if (options.out) {
      const tensors = summary.sources.flatMap(({ models }) =>
        models.flatMap((one) => causalSummaryTensors(`${kind}.${one.model}`, one)),
      );
      await writeTensors(options.out, tensors, { model, device, command: line });
    }
    if (options.json) return printJson(io, { sweep: made.id, kind, ...summary });
    for (const { examples: count, models } of summary.sources)
      for (const one of models) {
        const bases = Object.entries(one.base).map(([name, value]) => `${name} ${intervalOf(value)}`);
        const seeds = one.seeds > 1 ? `, mean of ${one.seeds} training seeds` : '';
        io.out(
          `${one.model}: ${count} example${count > 1 ? 's' : ''}${seeds}; ${intervalsText(summary.intervals)}; ${one.metric}: ${bases.join(', ')}\n${table(one.cells.map(rowOf))}`,
        );
      }
  });
}

const intervalOf = (value: Estimate) => (Number.isFinite(value.mean) ? withInterval(value) : '–');

const shown = (value: Estimate | undefined) => (value === undefined ? undefined : intervalOf(value));

function rowOf({ layers, mixer, index, class: name, tokens, ...cell }: CausalCellSummary) {
  const columns = {
    layers: layersName(layers),
    ...((mixer ?? index) !== undefined && { part: [mixer, index].filter((each) => each !== undefined).join(' ') }),
    class: name,
    tokens: Number.isInteger(tokens) ? String(tokens) : tokens.toFixed(1),
    effect: shown(cell.effect),
    change: shown(cell.change),
    'change, norms frozen': shown(cell.change_frozen_norms),
    kl: shown(cell.kl),
    n: String(cell.change?.n ?? 0),
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}
