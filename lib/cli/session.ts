import { defaultRoots, loadCheckpoint, type ModelFolder } from '@/lib/checkpoint';
import { type Device, openDevice } from '@/lib/engine';
import { fetchModel } from '@/lib/hub';
import { createModel, defaultWeightFormat, keptFormat, type Model } from '@/lib/models';
import { projectRoot } from '@/lib/project-root';
import { type ReadableCheckpoint, readable } from '@/lib/readable';
import type { WeightChoice } from '@/lib/vocabulary';
import { type Io, progress } from './io';
import type { Provenance } from './output';

export interface DeviceOptions {
  readonly device?: string;
  readonly threads?: number;
}

export interface ModelOptions extends DeviceOptions {
  readonly model: string;
  /** A name or a file, in place of the model's own. */
  readonly tokenizer?: string;
  readonly weights?: WeightChoice;
}

export interface Session {
  readonly device: Device;
  readonly checkpoint: ReadableCheckpoint;
  readonly model: Model;
  readonly provenance: Provenance;
}

/**
 * The checkpoint of `--model`: a folder, a name that `models` lists, or, where STATESCOPE_ALLOW_DOWNLOAD is 1, a model
 * of the hub. @throws InputError
 */
export async function openCheckpointOf(
  options: Pick<ModelOptions, 'model' | 'tokenizer' | 'weights'>,
  io: Io,
): Promise<ReadableCheckpoint> {
  const folder = await folderOf(options, io);
  const reading = progress(io, `loading ${folder.name}: million parameters`);
  const onProgress = (parameters: number, total: number) => reading.at(millions(parameters), millions(total));
  const keepBits = (options.weights ?? defaultWeightFormat()) !== 'float32';
  const checkpoint = await loadCheckpoint(folder.path, folder.name, { onProgress, keepBits }).finally(reading.end);
  for (const warning of checkpoint.warnings ?? []) io.err(`warning: ${warning}\n`);
  return readable(checkpoint, projectRoot(), {
    tokenizer: options.tokenizer,
    onNote: (note) => io.err(`${note}; --tokenizer takes another\n`),
  });
}

/** The folder of `--model`, fetched where that is allowed. @throws InputError */
export async function folderOf({ model }: Pick<ModelOptions, 'model'>, io: Io): Promise<ModelFolder> {
  const bar = progress(io, `${model}: MB`);
  const folder = await fetchModel(model, {
    roots: defaultRoots(projectRoot()),
    onProgress: ({ totalReceived, totalSize }) => bar.at(millions(totalReceived), millions(totalSize)),
  });
  bar.end();
  return folder;
}

const millions = (count: number) => Math.round(count / 1e6);

/** Opens the device and puts the checkpoint on it. @param command the line that was typed, for the files' metadata */
export async function openSession(
  checkpoint: ReadableCheckpoint,
  options: ModelOptions,
  command: string,
  io: Io,
): Promise<Session> {
  const choice = options.weights ?? defaultWeightFormat();
  const device = await openDevice(options);
  const weights = keptFormat(checkpoint, choice);
  io.err(`${checkpoint.name} on ${device.name} (${device.description}), weights in ${weights}\n`);
  const { warnings, tokenizer } = checkpoint;
  const provenance = {
    model: checkpoint.name,
    device: device.name,
    weights,
    tokenizer: tokenizer && { name: tokenizer.name, source: tokenizer.source },
    command,
    ...(warnings && { warnings }),
  };
  return { device, checkpoint, model: createModel(checkpoint, { weights: choice }), provenance };
}
