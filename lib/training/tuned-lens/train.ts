import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { HeldOut } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import {
  hasTunedLensState,
  loadTunedLensState,
  METRICS,
  readReports,
  saveTunedLensState,
  writeTunedLens,
} from './folder';
import { measureHeldOut, splitChunks } from './held-out';
import { createTunedLensTrainer, type TunedLensOptions, type TunedLensReport } from './trainer';

export interface TunedLensRun {
  /** Go on from the state in the folder. */
  readonly resume?: boolean;
  readonly onStep?: (report: TunedLensReport) => void;
  /** Stops after the current step, with the state saved. */
  readonly signal?: AbortSignal;
  /** Steps between two savings; default 25. */
  readonly saveEvery?: number;
}

export interface TunedLensResult {
  readonly folder: string;
  readonly step: number;
  /** False when the signal stopped it. */
  readonly finished: boolean;
  /** Of the last step; empty where none was left to do. */
  readonly losses: readonly number[];
  /** Also in the folder's config.json; null where the fit was stopped, or the data are fewer than ten chunks. */
  readonly held_out: HeldOut | null;
}

/**
 * Fits a tuned lens to nine tenths of the chunks and leaves its folder: config.json with the held-out KL of the rest, params.pt, params.safetensors, training.json (the settings),
 * metrics.jsonl (a line a step) and the state to resume from. A resumed run ends with the numbers of an uninterrupted one.
 * @throws InputError for a folder that already holds a run, or whose state does not fit.
 */
export async function trainTunedLens(
  model: Model,
  chunks: readonly (readonly number[])[],
  folder: string,
  options: TunedLensOptions,
  { resume = false, onStep, signal, saveEvery = 25 }: TunedLensRun = {},
): Promise<TunedLensResult> {
  const { fitted, heldOut } = splitChunks(chunks);
  const trainer = createTunedLensTrainer(model, fitted, options);
  if (!resume && hasTunedLensState(folder))
    throw new InputError(`${folder} already holds a tuned lens in training: give --resume or another folder.`);
  if (resume) trainer.restore(await loadTunedLensState(folder));
  await mkdir(folder, { recursive: true });
  const settings = {
    model: model.name,
    length: chunks[0].length,
    chunks: fitted.length,
    held_out: heldOut.length,
    ...options,
  };
  await writeFile(join(folder, 'training.json'), `${JSON.stringify(settings, null, 2)}\n`);
  const save = async () => {
    await writeTunedLens(folder, trainer.translators, model.name);
    await saveTunedLensState(folder, trainer.state());
  };
  let losses: readonly number[] = [];
  while (trainer.stepsDone < options.steps && !signal?.aborted) {
    const report = trainer.step();
    losses = report.losses;
    if (!losses.every(Number.isFinite))
      throw new InputError(
        `The loss of step ${report.step} is not finite: lower --lr, or check the weights of ${model.name}.`,
      );
    await appendFile(join(folder, METRICS), `${JSON.stringify(report)}\n`);
    onStep?.(report);
    if (report.step % saveEvery === 0) await save();
    await setImmediate();
  }
  await save();
  const finished = trainer.stepsDone >= options.steps;
  if (!finished || heldOut.length === 0) return { folder, step: trainer.stepsDone, finished, losses, held_out: null };
  const measured = measureHeldOut(model, heldOut, trainer.translators, await readReports(folder));
  await writeTunedLens(folder, trainer.translators, model.name, measured);
  return { folder, step: trainer.stepsDone, finished, losses, held_out: measured };
}
