import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { InputError } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import { hasTunedLensState, loadTunedLensState, saveTunedLensState, writeTunedLens } from './folder';
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
}

/**
 * Fits a tuned lens and leaves its folder: config.json, params.pt, params.safetensors, training.json (the settings),
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
  const trainer = createTunedLensTrainer(model, chunks, options);
  if (!resume && hasTunedLensState(folder))
    throw new InputError(`${folder} already holds a tuned lens in training: give --resume or another folder.`);
  if (resume) trainer.restore(await loadTunedLensState(folder));
  await mkdir(folder, { recursive: true });
  const settings = { model: model.name, length: chunks[0].length, chunks: chunks.length, ...options };
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
    await appendFile(join(folder, 'metrics.jsonl'), `${JSON.stringify(report)}\n`);
    onStep?.(report);
    if (report.step % saveEvery === 0) await save();
    await setImmediate();
  }
  await save();
  return { folder, step: trainer.stepsDone, finished: trainer.stepsDone >= options.steps, losses };
}
