import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError, readSafetensors, writeSafetensors } from '@/lib/checkpoint';
import type { AdamWState, Moments } from './adamw';

const whole = z.int().min(0);

const progressSchema = z.strictObject({
  /** Steps done. */
  step: whole,
  /** The stage that the next step is of, from 0; as many as there are when the run is finished. */
  stage: whole,
  /** Steps done of it. */
  stageStep: whole,
  /** Where the next step reads. */
  place: z.strictObject({ row: whole, read: z.array(whole).readonly() }),
});

/** How far a run is. */
export type Progress = z.infer<typeof progressSchema>;

/** Everything that decides how a training run goes on. */
export interface TrainingState {
  readonly progress: Progress;
  readonly optimizer: AdamWState;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** The moving average of the parameters, where one is kept. */
  readonly average?: ReadonlyMap<string, Float32Array>;
}

const FILE = 'training-state.safetensors';

const stateFile = (folder: string) => join(folder, FILE);

export const hasTrainingState = (folder: string): boolean => existsSync(stateFile(folder));

/** Writes the whole state as one file that is replaced in one step, so that it never mixes two moments of a run. */
export async function saveTrainingState(folder: string, state: TrainingState): Promise<void> {
  const { progress, optimizer, parameters, average = new Map<string, Float32Array>() } = state;
  const vector = (name: string, data: Float32Array | Int32Array | Uint8Array) => ({ name, shape: [data.length], data });
  const tensors = [
    vector('progress', new TextEncoder().encode(JSON.stringify(progress))),
    vector('updates', Int32Array.of(optimizer.step)),
    ...[...parameters].map(([name, data]) => vector(`parameter.${name}`, data)),
    ...[...average].map(([name, data]) => vector(`average.${name}`, data)),
    ...[...optimizer.moments].flatMap(([name, { first, second }]) => [
      vector(`first.${name}`, first),
      vector(`second.${name}`, second),
    ]),
  ];
  await writeSafetensors(stateFile(folder), tensors, { format: 'statescope training state' });
}

/** @throws InputError where there is no state or it lacks a part */
export async function loadTrainingState(folder: string): Promise<TrainingState> {
  if (!hasTrainingState(folder))
    throw new InputError(`${folder} holds no ${FILE} to resume from: start without --resume.`);
  const stored = await readSafetensors(stateFile(folder));
  const part = <T>(name: string, kind: new (length: number) => T): T => {
    const found = stored.get(name)?.data;
    if (found instanceof kind) return found;
    throw new InputError(`${stateFile(folder)} lacks ${name}: train into another folder.`);
  };
  const named = (prefix: string) => [...stored.keys()].filter((key) => key.startsWith(prefix));
  const values = (prefix: string) =>
    new Map(named(prefix).map((key) => [key.slice(prefix.length), part(key, Float32Array)]));
  const parameters = values('parameter.');
  const average = values('average.');
  const moments = new Map<string, Moments>();
  for (const name of parameters.keys())
    moments.set(name, { first: part(`first.${name}`, Float32Array), second: part(`second.${name}`, Float32Array) });
  const progress = progressSchema.parse(JSON.parse(new TextDecoder().decode(part('progress', Uint8Array))));
  return {
    progress,
    optimizer: { step: part('updates', Int32Array)[0], moments },
    parameters,
    ...(average.size > 0 && { average }),
  };
}
