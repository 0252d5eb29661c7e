import type { BlockCache } from '@/lib/analysis/s6Attention';
import type { RunModel } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';
import { ServiceError } from '../errors';
import { bytesOf } from './memory';

/** What one model of a run left behind; grows layer by layer while the run computes. */
export interface ModelRecord {
  readonly request: RunModel;
  readonly config: ModelConfig;
  /** Of the weights that computed it: the lens of a finished run must use the same. */
  readonly fingerprint: string;
  readonly L: number;
  /** Residual streams [L,d]: the embedding, then the output of every finished block. */
  readonly residuals: Float32Array[];
  /** S6 inputs and outputs of every finished block. */
  readonly blocks: BlockCache[];
}

/** True once every block has been computed. */
export const isComplete = ({ config, blocks }: ModelRecord) => blocks.length === config.blocks.length;

interface RunRecord {
  readonly models: ModelRecord[];
  running: boolean;
}

/** Activations of the last runs, up to a limit in bytes; the run that computes is never released. */
export class RunStore {
  #runs = new Map<string, RunRecord>();

  constructor(
    private readonly limit: number,
    private readonly onReleased: (ids: string[]) => void,
  ) {}

  /** Opens a record, releasing the oldest finished runs until `expected` bytes fit. */
  begin(id: string, expected: number): ModelRecord[] {
    const released: string[] = [];
    let used = bytesOf(this.#runs) + expected;
    for (const [old, record] of this.#runs) {
      if (used <= this.limit) break;
      if (record.running) continue;
      used -= bytesOf(record);
      this.#runs.delete(old);
      released.push(old);
    }
    if (released.length > 0) this.onReleased(released);
    const record: RunRecord = { models: [], running: true };
    this.#runs.set(id, record);
    return record.models;
  }

  end(id: string): void {
    const record = this.#runs.get(id);
    if (record) record.running = false;
  }

  forget(id: string): void {
    this.#runs.delete(id);
  }

  /** @throws ServiceError 409 where nothing has been computed yet, or it was released. */
  model(id: string, index: number): ModelRecord {
    const record = this.#runs.get(id);
    if (!record)
      throw new ServiceError(409, `The activations of run ${id} were released to make room.`, 'Run the prompt again.');
    const model = record.models[index];
    if (!model) throw new ServiceError(409, `Model ${index} of run ${id} has not been computed.`);
    return model;
  }
}
