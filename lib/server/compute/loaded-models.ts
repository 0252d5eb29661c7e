import type { LoadOptions } from '@/lib/checkpoint';
import { createModel, type Model } from '@/lib/models';
import type { Catalogue } from './catalogue';

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
  ) {}

  /** Whether a model is on the device, or on its way there. */
  has(name: string): boolean {
    return this.#models.has(name) || [...this.#loading.keys()].some((key) => key.startsWith(`${name}\n`));
  }

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

  async #acquire(name: string, options?: LoadOptions): Promise<Loaded> {
    const fingerprint = await this.catalogue.fingerprint(name);
    const known = this.#models.get(name);
    const loaded = known?.fingerprint === fingerprint ? known : await this.#load(name, fingerprint, options);
    loaded.users += 1;
    if (known && known !== loaded && known.users === 0) known.model.dispose();
    this.#models.delete(name);
    this.#models.set(name, loaded);
    return loaded;
  }

  #load(name: string, fingerprint: string, options?: LoadOptions): Promise<Loaded> {
    const key = `${name}\n${fingerprint}`;
    const pending = this.#loading.get(key);
    if (pending) return pending;
    const loading = this.catalogue
      .checkpoint(name, options)
      .then((checkpoint) => {
        const model = createModel(checkpoint);
        return { model, fingerprint, bytes: 4 * checkpoint.parameterCount, users: 0 };
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  #trim(): void {
    let bytes = [...this.#models.values()].reduce((sum, loaded) => sum + loaded.bytes, 0);
    for (const [name, loaded] of this.#models) {
      if (bytes <= this.limit) return;
      if (loaded.users > 0) continue;
      loaded.model.dispose();
      this.#models.delete(name);
      bytes -= loaded.bytes;
    }
  }
}
