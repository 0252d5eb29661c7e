import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, readSafetensors, writeSafetensors } from '@/lib/checkpoint';
import type { RandomState } from '@/lib/random';
import type { AdamWState, Moments } from './adamw';

/** Everything that decides how a training run goes on. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  /** Of the data. */
  readonly random: RandomState;
  readonly optimizer: AdamWState;
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

const FILE = 'training-state.safetensors';

const stateFile = (folder: string) => join(folder, FILE);

export const hasTrainingState = (folder: string): boolean => existsSync(stateFile(folder));

/** Writes the whole state as one file that is replaced in one step, so that it never mixes two moments of a run. */
export async function saveTrainingState(folder: string, state: TrainingState): Promise<void> {
  const vector = (name: string, data: Float32Array | Int32Array) => ({ name, shape: [data.length], data });
  const tensors = [
    vector('step', Int32Array.of(state.step, state.optimizer.step)),
    vector('random', Int32Array.from(state.random)),
    ...[...state.parameters].map(([name, data]) => vector(`parameter.${name}`, data)),
    ...[...state.optimizer.moments].flatMap(([name, { first, second }]) => [
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
  const part = (name: string) => {
    const found = stored.get(name)?.data;
    if (found instanceof Float32Array || found instanceof Int32Array) return found;
    throw new InputError(`${stateFile(folder)} lacks ${name}: start without --resume.`);
  };
  const parameters = new Map<string, Float32Array>();
  const moments = new Map<string, Moments>();
  for (const key of stored.keys()) {
    if (!key.startsWith('parameter.')) continue;
    const name = key.slice('parameter.'.length);
    parameters.set(name, part(key) as Float32Array);
    moments.set(name, { first: part(`first.${name}`) as Float32Array, second: part(`second.${name}`) as Float32Array });
  }
  const [step, updates] = part('step');
  const [a, b, c, d] = part('random');
  return { step, random: [a, b, c, d], optimizer: { step: updates, moments }, parameters };
}
