import { z } from 'zod';
import type { SnrExample } from '@/lib/analysis';
import { type Checkpoint, defaultRoots, loadCheckpoint } from '@/lib/checkpoint';
import { parseExamples } from '@/lib/data/example-source';
import { type Device, openDevice } from '@/lib/engine';
import { fetchModel } from '@/lib/hub';
import { InputError } from '@/lib/input-error';
import { createModel, type Model } from '@/lib/models';
import { readable } from '@/lib/readable';
import { loadTokenizer, type Tokenizer } from '@/lib/tokenizer';
import type { WeightChoice } from '@/lib/vocabulary';
import { fingerprintOf } from './fingerprint';

/** A model of a sweep: how it is found, and what tells it from another of that name. */
export const modelSchema = z.object({ name: z.string().min(1), fingerprint: z.string() }).strict();
export type SweptModel = z.infer<typeof modelSchema>;

/** Prompts of a sweep: their lines travel with it, so that no worker needs the file. */
export const sourceSchema = z.object({ name: z.string().min(1), lines: z.array(z.string().min(1)).min(1) }).strict();
export type SweptSource = z.infer<typeof sourceSchema>;

export interface OpenModel {
  readonly checkpoint: Checkpoint;
  readonly model: Model;
  /** Read once; undefined where the model has none. */
  readonly tokenizer: () => Promise<Tokenizer | undefined>;
}

/** What a worker computes on: a device, and what it has loaded. Items come ordered by model, so that it keeps one. */
export class Bench {
  readonly device: Device;
  readonly #root: string;
  #open: { key: string; opened: OpenModel } | undefined;
  #read: { key: string; examples: readonly SnrExample[] } | undefined;

  private constructor(device: Device, root: string) {
    this.device = device;
    this.#root = root;
  }

  /** @param root holds `models/` @throws DeviceError */
  static async open(options: { readonly device?: string; readonly threads?: number }, root: string): Promise<Bench> {
    return new Bench(await openDevice(options), root);
  }

  /** @throws InputError where there is no such model here, or another of its name. */
  async model({ name, fingerprint }: SweptModel, weights: WeightChoice): Promise<OpenModel> {
    const key = `${name} ${fingerprint} ${weights}`;
    if (this.#open?.key === key) return this.#open.opened;
    const { path, name: found } = await fetchModel(name, { roots: defaultRoots(this.#root) });
    if ((await fingerprintOf(path)) !== fingerprint)
      throw new InputError(
        `The model ${name} in ${path} is not the one that the sweep was made for: bring that one here, or start the sweep again.`,
      );
    this.#open?.opened.model.dispose();
    this.#open = undefined;
    const loaded = await loadCheckpoint(path, found, { keepBits: weights !== 'float32' });
    const checkpoint = await readable(loaded, this.#root);
    const { tokenizerPath } = checkpoint;
    let read: Promise<Tokenizer | undefined> | undefined;
    const tokenizer = () => {
      read ??= tokenizerPath ? loadTokenizer(tokenizerPath) : Promise.resolve(undefined);
      return read;
    };
    const opened = { checkpoint, model: createModel(checkpoint, { weights }), tokenizer };
    this.#open = { key, opened };
    return opened;
  }

  /** The prompts of a source as a model reads them; with `pairs` each with what it is held against. @throws InputError */
  async examples(
    source: SweptSource,
    { checkpoint }: OpenModel,
    of: SweptModel,
    { pairs = false }: { readonly pairs?: boolean } = {},
  ): Promise<readonly SnrExample[]> {
    const key = `${of.name} ${of.fingerprint} ${pairs} ${source.name} ${source.lines.length} ${source.lines[0]}`;
    if (this.#read?.key === key) return this.#read.examples;
    const examples = await parseExamples(source.lines.join('\n'), source.name, checkpoint, { pairs });
    this.#read = { key, examples };
    return examples;
  }

  close(): void {
    this.#open?.opened.model.dispose();
    this.#open = undefined;
  }
}
