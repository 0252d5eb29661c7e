import { keepsHalves } from '@/kernels/ops';
import type { LoadOptions } from '@/lib/checkpoint';
import { createModel, type Model } from '@/lib/models';
import { weightBytes, weightCounts } from '@/lib/models/weight-format';
import { WEIGHT_FORMATS, type WeightChoice } from '@/lib/vocabulary';
import type { Catalogue } from './catalogue';

/** What decides a model's numbers: its files, and whether its matrices are rounded. Bare files mean that they are not. */
const fingerprintIn = (choice: WeightChoice, files: string) => (choice === 'bf16' ? `${files} in ${choice}` : files);

/** Why a model does not give the numbers any more that it gave under another fingerprint; undefined where it does. */
export function changeSince(kept: string, now: string): string | undefined {
  if (kept === now) return undefined;
  const read = (fingerprint: string) => {
    const format = WEIGHT_FORMATS.find((name) => fingerprint.endsWith(` in ${name}`)) ?? 'float32';
    return { format, files: fingerprint.replace(/ in bf16$/, '') };
  };
  const [before, after] = [read(kept), read(now)];
  return before.files === after.files
    ? `its weights were in ${before.format} and are in ${after.format} now (STATESCOPE_WEIGHTS)`
    : 'its files have changed, or its tokenizer';
}

interface Loaded {
  readonly model: Model;
  readonly fingerprint: string;
  readonly bytes: number;
  users: number;
}

/**
 * Models on the device, loaded when first asked for. Once they weigh more than `limit` bytes, those that
 * nobody uses are dropped, the one used longest ago first. A model whose files changed is loaded again.
 */
export class LoadedModels {
  #models = new Map<string, Loaded>();
  #loading = new Map<string, Promise<Loaded>>();

  constructor(
    private readonly catalogue: Catalogue,
    private readonly limit: number,
    private readonly weights: WeightChoice,
    /** Told of the models that are on the device or on their way there, when these change. */
    private readonly changed: (names: string[]) => void,
  ) {}

  /**
   * Runs `work` with the model, which stays loaded meanwhile. Whoever first asks for it is told how its loading goes.
   * @throws ServiceError 404, InputError.
   */
  async use<T>(
    name: string,
    work: (model: Model, fingerprint: string) => Promise<T>,
    options?: LoadOptions,
  ): Promise<T> {
    const loaded = await this.#acquire(name, options);
    try {
      return await work(loaded.model, loaded.fingerprint);
    } finally {
      loaded.users -= 1;
      if (loaded.users === 0 && this.#models.get(name) !== loaded) loaded.model.dispose();
      this.#trim();
    }
  }

  /** Loads a model that will be needed soon, where it fits beside those that are there; what goes wrong shows when it is used. */
  async ahead(name: string, options?: LoadOptions): Promise<void> {
    try {
      const there = [...this.#models.values()].reduce((sum, { bytes }) => sum + bytes, 0);
      if (this.has(name) || there + 4 * (await this.catalogue.parameters(name)) > this.limit) return;
      await this.use(name, async () => undefined, options);
    } catch {
      // Said by who uses it.
    }
  }

  /** Whether a model is on the device, as far as anybody knows without looking at its files. */
  has(name: string): boolean {
    return this.#models.has(name);
  }

  async #acquire(name: string, options?: LoadOptions): Promise<Loaded> {
    const fingerprint = fingerprintIn(this.weights, await this.catalogue.fingerprint(name));
    const known = this.#models.get(name);
    const loaded = known?.fingerprint === fingerprint ? known : await this.#load(name, fingerprint, options);
    loaded.users += 1;
    if (known && known !== loaded && known.users === 0) known.model.dispose();
    this.#models.delete(name);
    this.#models.set(name, loaded);
    if (known !== loaded) this.#tell();
    return loaded;
  }

  #tell(): void {
    const loading = [...this.#loading.keys()].map((key) => key.slice(0, key.indexOf('\n')));
    this.changed([...new Set([...this.#models.keys(), ...loading])]);
  }

  #load(name: string, fingerprint: string, options?: LoadOptions): Promise<Loaded> {
    const key = `${name}\n${fingerprint}`;
    const pending = this.#loading.get(key);
    if (pending) return pending;
    const loading = this.catalogue
      .checkpoint(name, { ...options, keepBits: this.weights !== 'float32' })
      .then((checkpoint) => {
        const model = createModel(checkpoint, { weights: this.weights });
        return {
          model,
          fingerprint,
          bytes: weightBytes(weightCounts(checkpoint.tensors, this.weights), keepsHalves()),
          users: 0,
        };
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    this.#tell();
    return loading;
  }

  #trim(): void {
    let bytes = [...this.#models.values()].reduce((sum, loaded) => sum + loaded.bytes, 0);
    for (const [name, loaded] of this.#models) {
      if (bytes <= this.limit) return;
      if (loaded.users > 0) continue;
      loaded.model.dispose();
      this.#models.delete(name);
      this.#tell();
      bytes -= loaded.bytes;
    }
  }
}
