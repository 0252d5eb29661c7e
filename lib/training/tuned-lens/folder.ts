import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Translator } from '@/lib/analysis';
import { InputError, readSafetensors, writeSafetensors, writeTorchFile } from '@/lib/checkpoint';
import type { TunedLensState } from './trainer';

const STATE = 'training-state.safetensors';

/** Writes the layout of the tuned-lens library: config.json and params.pt, and the same tensors as params.safetensors. */
export async function writeTunedLens(folder: string, translators: readonly Translator[], model: string): Promise<void> {
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
