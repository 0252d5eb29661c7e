import { existsSync, statSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { causeOf } from '../../archive/cause';
import { modelFile, runFolder } from '../../archive/places';
import { ServiceError } from '../../errors';
import { bytesOf } from '../memory';
import type { ModelRecord } from './record';
import { readRecord, writeRecord } from './record-file';

const RUN_AGAIN = 'Run the prompt again.';

/** Models of a run. */
const SLOTS = [0, 1];

/** Bytes of a run's files; 0 where there are none. */
const bytesOnDisk = (folder: string, id: string) =>
  SLOTS.reduce((sum, m) => sum + (statSync(modelFile(folder, id, m), { throwIfNoEntry: false })?.size ?? 0), 0);

interface RunRecord {
  readonly models: ModelRecord[];
  running: boolean;
  /** Whether it is on disk too, or will never be. */
  kept: boolean;
}

/**
 * Activations of the last runs, up to a limit in bytes. The run that computes is never released, and one that is still to
 * be kept only where there is no other.
 */
export class RunStore {
  #runs = new Map<string, RunRecord>();
  #recalls = new Map<string, Promise<void>>();

  constructor(
    private readonly limit: number,
    private readonly onReleased: (ids: string[]) => void,
    /** Where runs are kept on disk; null for nowhere. */
    private readonly folder: string | null = null,
  ) {}

  /**
   * Opens a record, releasing the oldest finished runs until `expected` bytes fit. What an earlier start of the same
   * run has computed is in it.
   */
  begin(id: string, expected: number): ModelRecord[] {
    const record = this.#runs.get(id) ?? { models: [], running: true, kept: false };
    record.running = true;
    record.kept = false;
    this.#runs.set(id, record);
    this.#makeRoom(expected - bytesOf(record));
    return record.models;
  }

  /**
   * Writes a finished run to disk. @returns the bytes of its arrays; 0 when there is nothing to keep, or more than
   * `limit` bytes.
   * @throws ServiceError 507 where they cannot be written: the message ends a sentence.
   */
  async keep(id: string, limit: number): Promise<number> {
    if (this.folder === null) return 0;
    const record = this.#runs.get(id);
    if (!record) return bytesOnDisk(this.folder, id);
    const bytes = bytesOf(record);
    if (bytes <= limit) await this.#write(this.folder, id, record);
    record.kept = true;
    return bytes <= limit ? bytes : 0;
  }

  /** Writes all of a run or nothing: half of it would only hold room that others need. */
  async #write(folder: string, id: string, { models }: RunRecord): Promise<void> {
    const fresh: string[] = [];
    try {
      for (const [m, model] of models.entries()) {
        if (!model) continue;
        const path = modelFile(folder, id, m);
        if (!existsSync(path)) fresh.push(path);
        await writeRecord(path, model);
      }
    } catch (error) {
      for (const path of fresh) await rm(path, { force: true }).catch(() => undefined);
      await rmdir(runFolder(folder, id)).catch(() => undefined);
      throw new ServiceError(507, causeOf(error).words);
    }
  }

  /** Brings a run back from disk where it is not in memory. @throws ServiceError 409 when its files are damaged. */
  recall(id: string): Promise<void> {
    if (this.folder === null || this.#runs.has(id)) return Promise.resolve();
    const pending = this.#recalls.get(id);
    if (pending) return pending;
    const recall = this.#read(this.folder, id).finally(() => this.#recalls.delete(id));
    this.#recalls.set(id, recall);
    return recall;
  }

  async #read(folder: string, id: string): Promise<void> {
    const models: ModelRecord[] = [];
    for (const m of SLOTS) {
      const path = modelFile(folder, id, m);
      if (!existsSync(path)) continue;
      models[m] = await readRecord(path).catch((error: Error) => {
        if (!existsSync(path)) throw new ServiceError(409, `Run ${id} was removed while it was read.`, RUN_AGAIN);
        throw new ServiceError(409, `The arrays of run ${id} on disk cannot be read: ${error.message}`, RUN_AGAIN);
      });
    }
    if (models.length === 0) return;
    this.#makeRoom(bytesOf(models));
    this.#runs.set(id, { models, running: false, kept: true });
  }

  #makeRoom(expected: number): void {
    const released: string[] = [];
    let used = bytesOf(this.#runs) + expected;
    const ended = [...this.#runs].filter(([, { running }]) => !running);
    const order = [...ended.filter(([, { kept }]) => kept), ...ended.filter(([, { kept }]) => !kept)];
    for (const [old, record] of order) {
      if (used <= this.limit) break;
      used -= bytesOf(record);
      this.#runs.delete(old);
      released.push(old);
    }
    if (released.length > 0) this.onReleased(released);
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
    if (!record) throw new ServiceError(409, `The activations of run ${id} were released to make room.`, RUN_AGAIN);
    const model = record.models[index];
    if (!model) throw new ServiceError(409, `Model ${index} of run ${id} has not been computed.`);
    return model;
  }
}
