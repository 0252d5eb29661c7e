import { stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { defaultRoots, findModels, type ModelFolder } from '@/lib/checkpoint';
import { ServiceError } from '../errors';

const isBelow = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way));
};

/**
 * The folders that models are found in: those that Statescope was started with, and folders below them that were added
 * since. Links inside these folders are followed: who made them may read what they lead to.
 */
export class ModelFolders {
  readonly #roots: readonly string[];
  #added: readonly string[] = [];

  constructor(projectRoot: string) {
    this.#roots = defaultRoots(projectRoot);
  }

  /** As Statescope was started: `models/`, those of STATESCOPE_MODELS, and the Hugging Face cache. */
  get roots(): readonly string[] {
    return this.#roots;
  }

  find = (): Promise<ModelFolder[]> => findModels([...this.#roots, ...this.#added]);

  /** Those that ship with Statescope. */
  bundled = (): Promise<ModelFolder[]> => findModels(this.#roots.slice(0, 1));

  /** Whether a folder holds what others have downloaded, other architectures included. */
  isCached = ({ path }: ModelFolder): boolean => isBelow(path, this.#roots[this.#roots.length - 1]);

  /**
   * Looks for models in one more folder from now on, and returns those in it.
   * @param folder absolute, or below `models/`
   * @throws ServiceError 403 outside the roots, 404 where there is no such folder, 422 where it holds no model.
   */
  async add(folder: string): Promise<ModelFolder[]> {
    const path = resolve(this.#roots[0], folder);
    if (!this.#roots.some((root) => isBelow(path, root)))
      throw new ServiceError(
        403,
        `${path} lies outside the folders that this server may read: ${this.#roots.join(', ')}.`,
        `Link or copy it into ${this.#roots[0]}, or start Statescope with STATESCOPE_MODELS=${path}.`,
      );
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory()) throw new ServiceError(404, `There is no folder ${path}.`, 'Check its spelling.');
    const models = await findModels([path]);
    if (models.length === 0)
      throw new ServiceError(
        422,
        `There is no checkpoint in ${path}, nor two levels below it.`,
        'A checkpoint is a folder with config.json, weights (safetensors or bin) and tokenizer.json.',
      );
    if (!this.#added.includes(path)) this.#added = [...this.#added, path];
    return models;
  }
}
