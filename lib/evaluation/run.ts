import { join } from 'node:path';
import { version } from '@/package.json';
import type { Arm, Asked, Evaluation, Item, Line, ModelFacts } from './evaluation';
import { resamplingOf } from './intervals';
import { openStore, writeWhole } from './store';

/** A model to open when its turn comes. */
export interface Opening {
  /** What is known before its weights are on the device; decides, with the settings, whether stored lines are of it. */
  readonly facts: ModelFacts;
  open(): Promise<Asked>;
  close(asked: Asked): void;
}

export interface RunOptions {
  /** Where predictions.jsonl, summary.json and the figures go; without one nothing is kept. */
  readonly folder?: string;
  readonly seed: number;
  readonly resamples?: number;
  /** Told of every item that is finished, those of an earlier process included. */
  readonly onItem?: (done: number, total: number, model: string) => void;
}

/** What summary.json says. */
export interface Summary<S = unknown> {
  readonly version: string;
  readonly evaluation: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly bootstrap: { readonly seed: number; readonly resamples: number; readonly level: 0.95 };
  readonly models: readonly { readonly label: string; readonly seeds: readonly ModelFacts[] }[];
  readonly results: S;
}

/**
 * Runs an evaluation of models one after the other, item by item. With a folder, each item's lines are written when it is done, and a
 * process that is started again goes on after the last whole item: the files are those of a process that was never ended.
 * @param arms what is compared; the openings of one are trainings of the same model
 */
export async function runEvaluation<I extends Item, L extends Line, S>(
  evaluation: Evaluation<I, L, S>,
  arms: readonly { readonly label: string; readonly seeds: readonly Opening[] }[],
  { folder, seed, resamples, onItem }: RunOptions,
): Promise<Summary<S>> {
  const models = arms.map(({ label, seeds }) => ({ label, seeds: seeds.map(({ facts }) => facts) }));
  const identity = { evaluation: evaluation.name, settings: evaluation.settings, models };
  const store = folder === undefined ? undefined : await openStore(folder, identity);
  const found: { label: string; seeds: { facts: ModelFacts; lines: L[] }[] }[] = [];
  try {
    let left = (store?.stored ?? []) as readonly Line[];
    let kept = 0;
    for (const { label, seeds } of arms) {
      const own: { facts: ModelFacts; lines: L[] }[] = [];
      for (const opening of seeds) {
        const asked = await opening.open();
        try {
          const items = evaluation.items(asked);
          const lines: L[] = [];
          const known = wholeItems(items, left);
          for (const line of left.slice(0, known.lines)) lines.push(withoutModel(line) as L);
          kept += known.lines;
          left = left.slice(known.lines);
          if (known.items < items.length) {
            await store?.keep(kept);
            left = [];
          }
          for (const [k, item] of items.entries()) {
            if (k >= known.items) {
              const fresh = await evaluation.evaluateItem(asked, item);
              await store?.append(fresh.map((line) => ({ model: label, seed: opening.facts.name, ...line })));
              // As they are read again, so that a summary is the same with and without a restart.
              for (const line of fresh) lines.push(JSON.parse(JSON.stringify(line)));
            }
            onItem?.(k + 1, items.length, opening.facts.name);
          }
          own.push({ facts: opening.facts, lines });
        } finally {
          opening.close(asked);
        }
      }
      found.push({ label, seeds: own });
    }
  } finally {
    await store?.close();
  }
  const summary = summaryOf(evaluation, found, { seed, resamples });
  if (folder !== undefined) await writeResults(folder, evaluation, summary);
  return summary;
}

/** How many items, from the first on, have all their lines among the stored ones. */
function wholeItems(items: readonly Item[], stored: readonly Line[]): { items: number; lines: number } {
  let lines = 0;
  for (const [k, item] of items.entries()) {
    if (lines + item.lines > stored.length) return { items: k, lines };
    lines += item.lines;
  }
  return { items: items.length, lines };
}

const withoutModel = ({ model: _model, seed: _seed, ...line }: Line): Line => line;

/** The summary of lines that are complete, wherever they were made. */
export function summaryOf<L extends Line, S>(
  evaluation: Pick<Evaluation<Item, L, S>, 'name' | 'settings' | 'summarise'>,
  arms: readonly Arm<L>[],
  { seed, resamples }: { readonly seed: number; readonly resamples?: number },
): Summary<S> {
  const source = () => resamplingOf(seed, resamples);
  return {
    version,
    evaluation: evaluation.name,
    settings: evaluation.settings,
    bootstrap: { seed, resamples: source().resamples, level: 0.95 },
    models: arms.map(({ label, seeds }) => ({ label, seeds: seeds.map(({ facts }) => facts) })),
    results: evaluation.summarise(arms, source),
  };
}

/** Writes summary.json and the figures. */
export async function writeResults<S>(
  folder: string,
  evaluation: { figures(results: S): { name: string; svg: string }[] },
  summary: Summary<S>,
): Promise<void> {
  for (const { name, svg } of evaluation.figures(summary.results)) await writeWhole(join(folder, `${name}.svg`), svg);
  await writeWhole(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 1)}\n`);
}
