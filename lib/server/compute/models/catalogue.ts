import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lensFault, readHeldOut, TUNED_LENS_FOLDER } from '@/lib/analysis/tunedLens';
import type { ModelList } from '@/lib/api/schemas';
import { ARCHITECTURES, isDifferentialKind } from '@/lib/architectures';
import {
  type Checkpoint,
  describeModel,
  InputError,
  type LoadOptions,
  loadCheckpoint,
  type ModelConfig,
  type ModelFolder,
  type ModelListing,
  problemOf,
} from '@/lib/checkpoint';
import { openCheckpoint } from '@/lib/checkpoint/load';
import { type WeightCounts, weightCounts } from '@/lib/models/weight-format';
import { readWith } from '@/lib/readable';
import {
  BUNDLED,
  chosenTokenizer,
  loadTokenizer,
  ownTokenizer,
  TOKENIZER_NAMES,
  type Tokenizer,
  type TokenizerChoice,
  tokenizerFor,
  tokenizerMissing,
} from '@/lib/tokenizer';
import { WEIGHT_CHOICES, type WeightChoice } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import { type FoldersState, ModelFolders } from './model-folders';

const count = (n: number) =>
  n >= 1e9 ? `${(n / 1e9).toPrecision(3)} B` : n >= 1e6 ? `${(n / 1e6).toPrecision(3)} M` : `${Math.round(n / 1e3)} k`;

function summarise({ layers, hidden_size, parameters }: ModelListing): string {
  const kinds = [...new Set(layers)].map((kind) => ARCHITECTURES[kind].label).join(' + ');
  return `${kinds} · ${layers.length} ${layers.length === 1 ? 'layer' : 'layers'} · d ${hidden_size} · ${count(parameters)} parameters`;
}

/** What is known of a model's tuned lens. A damaged record is none: it must not take the model away. */
async function heldOutOf({ path }: ModelFolder): Promise<ModelList['models'][number]['heldOut']> {
  const found = await readHeldOut(join(path, TUNED_LENS_FOLDER)).catch(() => null);
  const layers = found?.layers.map(({ kl, logit_lens_kl, ...rest }) => ({
    kl,
    logit_lens_kl,
    fault: lensFault({ kl, logit_lens_kl, ...rest }) ?? null,
  }));
  return found && layers ? { tokens: found.tokens, layers } : null;
}

/**
 * Changes whenever a file that decides a model's output changes: name, place, size and times of config, weights and
 * tokenizer. Not noticed is what a file system does not tell: a remote one may give no inodes and coarse times.
 */
async function fingerprintOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /(\.(json|safetensors|bin)|^merges\.txt)$/.test(name)).sort();
  const parts = await Promise.all(
    names.map(async (name) => {
      try {
        const { ino, size, mtimeNs, ctimeNs } = await stat(join(folder, name), { bigint: true });
        return [name, ino, size, mtimeNs, ctimeNs].join(':');
      } catch (error) {
        return `${name}:${(error as NodeJS.ErrnoException).code}`;
      }
    }),
  );
  return parts.join(' ');
}

/** What reading the headers of folders gave: once for each state of a folder, whether it can be used or not. */
class Findings<T> {
  #known = new Map<string, { fingerprint: string; outcome: T | InputError }>();

  constructor(private readonly read: (folder: ModelFolder) => Promise<T>) {}

  /** @throws InputError; other errors say nothing of the folder and are not remembered. */
  async of(folder: ModelFolder): Promise<T> {
    const fingerprint = await fingerprintOf(folder.path);
    const known = this.#known.get(folder.path);
    const outcome = known?.fingerprint === fingerprint ? known.outcome : await this.#reading(folder);
    this.#known.set(folder.path, { fingerprint, outcome });
    if (outcome instanceof InputError) throw outcome;
    return outcome;
  }

  async #reading(folder: ModelFolder): Promise<T | InputError> {
    try {
      return await this.read(folder);
    } catch (error) {
      if (error instanceof InputError) return error;
      throw error;
    }
  }
}

interface Headers {
  readonly config: ModelConfig;
  /** Of the weights, by how they are asked for. */
  readonly counts: ReadonlyMap<WeightChoice, WeightCounts>;
}

async function headersOf({ path }: ModelFolder): Promise<Headers> {
  const { config, tensors, close } = await openCheckpoint(path);
  await close();
  return { config, counts: new Map(WEIGHT_CHOICES.map((choice) => [choice, weightCounts(tensors, choice)])) };
}

/** The checkpoints that may be named in requests. Names are looked up in a list of what was found, never turned into paths. */
export class Catalogue {
  #tokenizers = new Map<string, { fingerprint: string; tokenizer: Promise<Tokenizer> }>();
  readonly #listings = new Findings((folder) => describeModel(folder));
  readonly #headers = new Findings(headersOf);
  readonly #folders: ModelFolders;

  /**
   * @param dataFolder where folders that were added are kept
   * @param folders what another thread knows of them
   */
  constructor(
    private readonly root: string,
    dataFolder: string | null,
    folders?: FoldersState,
  ) {
    this.#folders = new ModelFolders(root, dataFolder, folders);
  }

  /** The folders that were added, which all threads are to agree on. */
  get folders(): FoldersState {
    return this.#folders.state;
  }

  set folders(state: FoldersState) {
    this.#folders.state = state;
  }

  /** The folders that models are looked for in, but for what was downloaded. */
  get places(): readonly string[] {
    return [...this.#folders.roots.slice(0, -1), ...this.#folders.added];
  }

  /** Usable models, in the order in which the folders name them, and what is wrong with the others. */
  async list(): Promise<ModelList> {
    return this.#describeAll(await this.#folders.find());
  }

  /** Finds the models of one more folder from now on. @returns those in it. @throws ServiceError 403, 404, 422. */
  async addFolder(folder: string): Promise<ModelList> {
    const added = await this.#folders.add(folder);
    const all = await this.#folders.find();
    const known = (model: ModelFolder) => all.find(({ name }) => name === model.name)?.path === model.path;
    const list = await this.#describeAll(added.filter(known));
    const hidden = added.filter((model) => !known(model));
    const problem = 'Another model has this name already: rename the folder.';
    return { ...list, unreadable: [...list.unreadable, ...hidden.map(({ name }) => ({ name, problem }))] };
  }

  /** Finds the models of an added folder no more. @returns those that are left. @throws ServiceError 404. */
  async removeFolder(folder: string): Promise<ModelList> {
    this.#folders.remove(folder);
    return this.list();
  }

  /**
   * Reads a model's text from now on with another tokenizer: the bundled one by its name, that of a model by the model's, or a
   * file; null gives back the model's own.
   * @throws ServiceError 403, 404, 422; InputError for a file that is none.
   */
  async chooseTokenizer(model: string, wanted: string | null): Promise<ModelList> {
    await this.folder(model);
    if (wanted !== null) await loadTokenizer((await this.#chosen(wanted)).path);
    this.#folders.chooseTokenizer(model, wanted);
    return this.list();
  }

  /** @throws ServiceError 403 for what may not be read, 422 for what is none. */
  async #chosen(wanted: string): Promise<TokenizerChoice> {
    const found = await chosenTokenizer(wanted, {
      root: this.root,
      pathOf: (text) => {
        const path = resolve(/* turbopackIgnore: true */ this.#folders.roots[0], text);
        if (this.#folders.mayRead(path)) return path;
        throw new ServiceError(
          403,
          `${path} lies outside the folders that this server may read: ${this.places.join(', ')}.`,
          'Copy it into one of them.',
        );
      },
      modelNamed: async (name) => (await this.#folders.named(name))?.path,
    });
    if (found) return found;
    throw new ServiceError(422, `${JSON.stringify(wanted)} is no tokenizer.`, `Give ${TOKENIZER_NAMES}.`);
  }

  /** Names of the models that ship with Statescope. */
  async bundled(): Promise<string[]> {
    return (await this.#folders.bundled()).map(({ name }) => name);
  }

  /** @throws ServiceError 404. */
  async folder(name: string): Promise<ModelFolder> {
    const found = await this.#folders.named(name);
    if (found) return found;
    throw new ServiceError(
      404,
      `There is no model "${name}".`,
      'Models are chosen by a name that GET /api/models lists; STATESCOPE_MODELS adds folders.',
    );
  }

  async fingerprint(name: string): Promise<string> {
    const chosen = this.#folders.tokenizerOf(name);
    const files = await fingerprintOf((await this.folder(name)).path);
    return chosen === undefined ? files : `${files} read with ${chosen}`;
  }

  /** Reads headers only. @throws ServiceError 404, InputError. */
  async config(name: string): Promise<ModelConfig> {
    return (await this.#headers.of(await this.folder(name))).config;
  }

  /** What of its files is not used as they say. @throws ServiceError 404, InputError. */
  async warnings(name: string): Promise<readonly string[]> {
    return (await this.#listings.of(await this.folder(name))).warnings ?? [];
  }

  /** How many numbers the weights are. @throws ServiceError 404, InputError. */
  async parameters(name: string): Promise<number> {
    return (await this.#listings.of(await this.folder(name))).parameters;
  }

  /** How many numbers the weights are, and how many of them may take two bytes. @throws ServiceError 404, InputError. */
  async weightCounts(name: string, choice: WeightChoice): Promise<WeightCounts> {
    return (await this.#headers.of(await this.folder(name))).counts.get(choice) as WeightCounts;
  }

  /** @throws ServiceError 404, InputError. */
  async checkpoint(name: string, options?: LoadOptions): Promise<Checkpoint> {
    const checkpoint = await loadCheckpoint((await this.folder(name)).path, name, options);
    const choice = await this.tokenizerChoice(name);
    return choice ? readWith(checkpoint, choice, this.root) : checkpoint;
  }

  /** What reads a model's text; undefined where nothing does. @throws ServiceError 404, InputError. */
  async tokenizerChoice(name: string): Promise<TokenizerChoice | undefined> {
    const chosen = this.#folders.tokenizerOf(name);
    if (chosen !== undefined) return this.#chosen(chosen);
    return tokenizerFor((await this.folder(name)).path, (await this.config(name)).V, this.root);
  }

  /** @throws ServiceError 404, or 422 for a model without a tokenizer. */
  async tokenizer(name: string): Promise<Tokenizer> {
    const { path } = await this.folder(name);
    const choice = await this.tokenizerChoice(name);
    if (!choice)
      throw new ServiceError(
        422,
        `The model ${name} has no tokenizer.json, so it cannot read text.`,
        `${tokenizerMissing(name, path)}; or choose another model.`,
      );
    const fingerprint = `${choice.path} ${await fingerprintOf(choice.source === 'fallback' ? path : dirname(choice.path))}`;
    const known = this.#tokenizers.get(name);
    if (known?.fingerprint === fingerprint) return known.tokenizer;
    const tokenizer = loadTokenizer(choice.path);
    this.#tokenizers.set(name, { fingerprint, tokenizer });
    tokenizer.catch((error) => error instanceof InputError || this.#tokenizers.delete(name));
    return tokenizer;
  }

  /** What reads a model's text, or why what was chosen cannot. */
  async #tokenizerOf(
    { name, path }: ModelFolder,
    rows: number,
  ): Promise<{ choice?: TokenizerChoice; problem?: string }> {
    const chosen = this.#folders.tokenizerOf(name);
    if (chosen === undefined) return { choice: tokenizerFor(path, rows, this.root) };
    try {
      return { choice: await this.#chosen(chosen) };
    } catch (error) {
      if (error instanceof ServiceError) return { problem: error.message };
      throw error;
    }
  }

  async #describeAll(folders: readonly ModelFolder[]): Promise<ModelList> {
    const { roots, added, dropped } = this.#folders;
    const list: ModelList = {
      models: [],
      unreadable: [],
      folders: [...roots],
      added: [...added],
      dropped: [...dropped],
      tokenizers: [BUNDLED.name],
    };
    for (const folder of folders) {
      try {
        const { path: _path, warnings, ...listing } = await this.#listings.of(folder);
        const { choice: tokenizer, problem: tokenizerProblem } = await this.#tokenizerOf(folder, listing.vocab_size);
        list.models.push({
          ...listing,
          ...(warnings && { warnings: [...warnings] }),
          layers: [...listing.layers],
          differential: listing.layers.map(isDifferentialKind),
          summary: summarise({ ...listing, path: folder.path }),
          hasTokenizer: tokenizer !== undefined,
          tokenizer: tokenizer ? { name: tokenizer.name, source: tokenizer.source } : null,
          ...(tokenizerProblem && { tokenizerProblem }),
          hasTunedLens: existsSync(join(folder.path, TUNED_LENS_FOLDER)),
          heldOut: await heldOutOf(folder),
        });
        if (ownTokenizer(folder.path)) list.tokenizers.push(folder.name);
      } catch (error) {
        const { message: problem } = problemOf(folder, error);
        if (!this.#folders.isCached(folder)) list.unreadable.push({ name: folder.name, problem });
      }
    }
    return list;
  }
}
