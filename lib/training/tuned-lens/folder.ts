import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HeldOut, Translator } from '@/lib/analysis';
import { InputError, readSafetensors, writeSafetensors, writeTorchFile } from '@/lib/checkpoint';
import type { TunedLensReport, TunedLensState } from './trainer';

/** A line a step. */
export const METRICS = 'metrics.jsonl';
const STATE = 'training-state.safetensors';

/** Writes the layout of the tuned-lens library: config.json and params.pt, and the same tensors as params.safetensors. */
export async function writeTunedLens(
  folder: string,
  translators: readonly Translator[],
  model: string,
  heldOut?: HeldOut,
): Promise<void> {
  const d = translators[0].bias.length;
  const tensors = translators.flatMap(({ weight, bias }, k) => [
    { name: `${k}.weight`, shape: [d, d], data: weight },
    { name: `${k}.bias`, shape: [d], data: bias },
  ]);
  const config = {
    base_model_name_or_path: model,
    d_model: d,
    num_hidden_layers: translators.length,
    bias: true,
    base_model_revision: null,
    unembed_hash: null,
    lens_type: 'linear_tuned_lens',
    // Not a field of the library, which passes over what it does not know.
    held_out: heldOut,
  };
  await writeTorchFile(join(folder, 'params.pt'), new Map(tensors.map(({ name, ...tensor }) => [name, tensor])));
  await writeSafetensors(join(folder, 'params.safetensors'), tensors, { model });
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

export const hasTunedLensState = (folder: string): boolean => existsSync(join(folder, STATE));

export async function saveTunedLensState(folder: string, { step, values, velocities }: TunedLensState): Promise<void> {
  const vector = (name: string, data: Float32Array | Int32Array) => ({ name, shape: [data.length], data });
  const tensors = [
    vector('step', Int32Array.of(step)),
    ...values.map((data, k) => vector(`value.${k}`, data)),
    ...velocities.map((data, k) => vector(`velocity.${k}`, data)),
  ];
  await writeSafetensors(join(folder, STATE), tensors, { format: 'statescope tuned-lens training state' });
}

/** @throws InputError where there is no state. */
export async function loadTunedLensState(folder: string): Promise<TunedLensState> {
  if (!hasTunedLensState(folder))
    throw new InputError(`${folder} holds no ${STATE} to resume from: start without --resume.`);
  const stored = await readSafetensors(join(folder, STATE));
  const list = (name: string) => {
    const parts: Float32Array[] = [];
    for (let part = stored.get(`${name}.0`); part; part = stored.get(`${name}.${parts.length}`))
      parts.push(part.data as Float32Array);
    return parts;
  };
  return { step: Number(stored.get('step')?.data[0] ?? 0), values: list('value'), velocities: list('velocity') };
}

/** The line of every step, the latest where a resumed run did one again. */
export async function readReports(folder: string): Promise<TunedLensReport[]> {
  const lines = (await readFile(join(folder, METRICS), 'utf8')).split('\n').filter((line) => line !== '');
  const reports: TunedLensReport[] = lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      // A killed run may leave half a line.
      return [];
    }
  });
  return [...new Map(reports.map((report) => [report.step, report])).values()].sort((a, b) => a.step - b.step);
}
