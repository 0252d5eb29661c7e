import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { defaultRoots, findModels, type ModelFolder } from '@/lib/checkpoint';
import { addedFoldersFile } from '../../archive/places';
import { ServiceError } from '../../errors';
import { KeptFolders } from './kept-folders';

const isBelow = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way));
};

/** A folder that was added once and is not looked into any more. */
export interface Dropped {
  readonly folder: string;
  readonly problem: string;
}

/** What changes while the server runs. */
export interface FoldersState {
  /** Tokenizers that were chosen for models, by their names. */
  readonly tokenizers: Readonly<Record<string, string>>;
  readonly added: readonly string[];
  readonly dropped: readonly Dropped[];
}

/** Milliseconds for which folders are taken to hold what they held when they were last looked through. */
const FRESH_MS = 2000;

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

/**
 * The folders that models are found in: those that Statescope was started with, and folders below them that were added
 * since, which outlive the server. Links inside these folders are followed: who made them may read what they lead to.
 */
export class ModelFolders {
  readonly #roots: readonly string[];
  readonly #kept: KeptFolders;
  #added: readonly string[];
  #dropped: readonly Dropped[];
  #tokenizers: Readonly<Record<string, string>>;
  /** The models that were found last, by name. */
  #found = new Map<string, ModelFolder>();
  #foundAt = Number.NEGATIVE_INFINITY;
  #finding: Promise<unknown> | undefined;

  /**
   * @param dataFolder where added folders are kept; null forgets them when the server stops
   * @param state what is known already; without it, what is kept
   */
  constructor(projectRoot: string, dataFolder: string | null, state?: FoldersState) {
    this.#roots = defaultRoots(projectRoot);
    this.#kept = new KeptFolders(dataFolder === null ? null : addedFoldersFile(dataFolder));
    const { folders, tokenizers } = state ? { folders: state.added, tokenizers: state.tokenizers } : this.#kept.read();
    this.#added = folders;
    this.#tokenizers = tokenizers;
    this.#dropped = state?.dropped ?? [];
  }

  get state(): FoldersState {
    return { added: this.#added, dropped: this.#dropped, tokenizers: this.#tokenizers };
  }

  set state({ added, dropped, tokenizers }: FoldersState) {
    this.#added = added;
    this.#tokenizers = tokenizers;
    this.#dropped = dropped;
    this.#found.clear();
  }

  /** As Statescope was started: `models/`, those of STATESCOPE_MODELS, and the Hugging Face cache. */
  get roots(): readonly string[] {
    return this.#roots;
  }

  /** Those that were added, in that order. */
  get added(): readonly string[] {
    return this.#added;
  }

  /** Those that were added but are gone since, until they are removed or added again. */
  get dropped(): readonly Dropped[] {
    return this.#dropped;
  }

  async find(): Promise<ModelFolder[]> {
    await this.#dropLost();
    const found = await findModels([...this.#roots, ...this.#added]);
    this.#found = new Map(found.map((folder) => [folder.name, folder]));
    this.#foundAt = performance.now();
    return found;
  }

  /**
   * One model. Where it is still, the folders are not looked through first: there may be thousands. That happens meanwhile, so
   * that one of the same name in an earlier folder is seen soon.
   */
  async named(name: string): Promise<ModelFolder | undefined> {
    const known = this.#found.get(name);
    const isFresh = performance.now() - this.#foundAt < FRESH_MS;
    if (known && existsSync(join(known.path, 'config.json'))) {
      if (!isFresh) void this.#findMeanwhile();
      return known;
    }
    return (await this.find()).find((folder) => folder.name === name);
  }

  #findMeanwhile(): Promise<unknown> {
    this.#finding ??= this.find()
      .catch(() => undefined)
      .finally(() => {
        this.#finding = undefined;
      });
    return this.#finding;
  }

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
    if (!this.#isAllowed(path))
      throw new ServiceError(
        403,
        `${path} lies outside the folders that this server may read: ${this.#roots.join(', ')}.`,
        `Link or copy it into ${this.#roots[0]}, or start Statescope with STATESCOPE_MODELS=${path}.`,
      );
    if (!(await isFolder(path))) throw new ServiceError(404, `There is no folder ${path}.`, 'Check its spelling.');
    const models = await findModels([path]);
    if (models.length === 0)
      throw new ServiceError(
        422,
        `There is no checkpoint in ${path}, nor two levels below it.`,
        'A checkpoint is a folder with config.json, weights (safetensors or bin) and tokenizer.json.',
      );
    this.#dropped = this.#dropped.filter((one) => one.folder !== path);
    if (!this.#added.includes(path) && !this.#roots.includes(path)) this.#keep([...this.#added, path]);
    return models;
  }

  /**
   * Looks into an added folder no more, or forgets that it is gone.
   * @throws ServiceError 404 for one that was not added.
   */
  remove(folder: string): void {
    const path = resolve(this.#roots[0], folder);
    const known = [...this.#added, ...this.#dropped.map((one) => one.folder)];
    if (!known.includes(path))
      throw new ServiceError(404, `${path} was not added.`, 'GET /api/models names the folders that were.');
    this.#dropped = this.#dropped.filter((one) => one.folder !== path);
    if (this.#added.includes(path)) this.#keep(this.#added.filter((one) => one !== path));
  }

  #isAllowed = (path: string): boolean => this.#roots.some((root) => isBelow(path, root));

  #keep(folders: readonly string[]): void {
    this.#added = folders;
    this.#found.clear();
    this.#write();
  }

  #write = (): void => this.#kept.write({ folders: [...this.#added], tokenizers: { ...this.#tokenizers } });

  /** The tokenizer that was chosen for a model, as it was named. */
  tokenizerOf = (model: string): string | undefined => this.#tokenizers[model];

  /** Keeps the tokenizer of a model; null for the one that it has by itself. */
  chooseTokenizer(model: string, wanted: string | null): void {
    const { [model]: _before, ...others } = this.#tokenizers;
    this.#tokenizers = wanted === null ? others : { ...others, [model]: wanted };
    this.#write();
  }

  /** Whether a file may be read: below a folder that models are looked for in. */
  mayRead = (path: string): boolean => [...this.#roots, ...this.#added].some((root) => isBelow(path, root));

  async #dropLost(): Promise<void> {
    const lost: Dropped[] = [];
    for (const folder of this.#added)
      if (!(await isFolder(folder)))
        lost.push({ folder, problem: `${folder} is gone, so it was taken from the list.` });
      else if (!this.#isAllowed(folder))
        lost.push({
          folder,
          problem: `${folder} lies outside the folders that this server may read now, so it was taken from the list.`,
        });
    if (lost.length === 0) return;
    this.#dropped = [...this.#dropped, ...lost];
    this.#keep(this.#added.filter((folder) => !lost.some((one) => one.folder === folder)));
  }
}
