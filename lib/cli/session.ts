import { type Checkpoint, defaultRoots, loadCheckpoint, resolveModel } from '@/lib/checkpoint';
import { type Device, openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import type { Io } from './io';
import type { Provenance } from './output';

export interface DeviceOptions {
  readonly device?: string;
  readonly threads?: number;
}

export interface ModelOptions extends DeviceOptions {
  readonly model: string;
}

export interface Session {
  readonly device: Device;
  readonly checkpoint: Checkpoint;
  readonly model: Model;
  readonly provenance: Provenance;
}

/** The folder that holds `models/`. */
export const projectRoot = (): string => process.env.STATESCOPE_ROOT || process.cwd();

/** The checkpoint of `--model`, a folder or a name that `models` lists. @throws InputError */
export async function openCheckpointOf({ model }: ModelOptions): Promise<Checkpoint> {
  const folder = await resolveModel(model, { roots: defaultRoots(projectRoot()) });
  return loadCheckpoint(folder.path, folder.name);
}

/** Opens the device and puts the checkpoint on it. @param command the line that was typed, for the files' metadata */
export async function openSession(
  checkpoint: Checkpoint,
  options: ModelOptions,
  command: string,
  io: Io,
): Promise<Session> {
  const device = await openDevice(options);
  io.err(`${checkpoint.name} on ${device.name} (${device.description})\n`);
  const provenance = { model: checkpoint.name, device: device.name, command };
  return { device, checkpoint, model: createModel(checkpoint), provenance };
}
