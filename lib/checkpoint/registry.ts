/** Finding the checkpoints on this machine: bundled models, folders the user names, and the Hugging Face cache. */

import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, delimiter, join, relative, resolve } from 'node:path';
import { insteadOfWeights, isComplete } from './complete';
import { readText } from './files';
import { homeFolder } from './home';
import { openCheckpoint } from './load';
import { type BlockKind, type CheckpointFormat, InputError, type StoredDtype } from './types';

export interface ModelFolder {
  readonly name: string;
  readonly path: string;
}

/** One entry of what `statescope models --json` prints. */
export interface ModelListing extends ModelFolder {
  readonly format: CheckpointFormat;
  readonly layers: readonly BlockKind[];
  readonly hidden_size: number;
  readonly parameters: number;
  /** The dtype of most parameters. */
  readonly dtype: StoredDtype;
  readonly vocab_size: number;
  readonly tied: boolean;
  /** What of the files is not used as they say; left out where all is. */
  readonly warnings?: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A path as Python's expanduser and expandvars read it: `~` at its beginning, `$NAME` and `${NAME}` anywhere; variables that
 * are not set stay as they are.
 */
function expanded(path: string, environment: Environment): string {
  const home = homeFolder(environment);
  const fromHome = path === '~' || path.startsWith('~/') ? home + path.slice(1) : path;
  return fromHome.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (text, name, braced) => environment[name ?? braced] ?? text);
}

/** The folder of the Hugging Face cache, by the rules of huggingface_hub. */
export function hubCache(environment: Environment): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homeFolder(environment), '.cache'), 'huggingface');
  return expanded(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub'), environment);
}

/** `models/` of the project, then `STATESCOPE_MODELS` (a path list), then the Hugging Face cache. */
export function defaultRoots(projectRoot = process.cwd(), environment: Environment = process.env): string[] {
  const named = (environment.STATESCOPE_MODELS ?? '').split(delimiter).filter(Boolean);
  const roots = named.map((root) => expanded(root, environment));
  return [join(projectRoot, 'models'), ...roots, hubCache(environment)].map((root) => resolve(root));
}

const HUB_PREFIX = 'models--';

/** Bytes of the file that names a revision, by its hash. */
const LARGEST_REVISION = 1024;

const isModel = (folder: string) => existsSync(join(folder, 'config.json'));

async function subfolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const folders: string[] = [];
  for (const name of names.sort()) {
    const found = name.startsWith('.') ? undefined : await stat(join(folder, name)).catch(() => undefined);
    if (found?.isDirectory()) folders.push(name);
  }
  return folders;
}

/**
 * The snapshot of a cached repository: the one that `main` points at, or the newest, of those that have all of their weights;
 * where none has, the same of those that have a config, whose problem is then told.
 */
async function snapshotOf(repository: string): Promise<string | undefined> {
  const snapshots = join(repository, 'snapshots');
  const revision = await readText(join(repository, 'refs', 'main'), LARGEST_REVISION).catch(() => '');
  const found: { path: string; complete: boolean; main: boolean; time: number }[] = [];
  for (const name of await subfolders(snapshots)) {
    const path = join(snapshots, name);
    const time = (await stat(path).catch(() => undefined))?.mtimeMs;
    if (time === undefined || !isModel(path)) continue;
    found.push({ path, complete: await isComplete(path), main: name === revision.trim(), time });
  }
  const better = (a: (typeof found)[number], b: (typeof found)[number]) =>
    Number(b.complete) - Number(a.complete) || Number(b.main) - Number(a.main) || b.time - a.time;
  return found.sort(better)[0]?.path;
}

/** `checkpoint-500` before `checkpoint-1000`. */
const inOrder = (names: readonly string[]) => [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

/** A model, and what training has saved in its folder: `checkpoint-500` and other folders that are models of their own. */
async function withCheckpoints(name: string, path: string): Promise<ModelFolder[]> {
  const found = [{ name, path }];
  for (const inner of inOrder(await subfolders(path)))
    if (await isComplete(join(path, inner))) found.push({ name: `${name}/${inner}`, path: join(path, inner) });
  return found;
}

async function foldersIn(root: string): Promise<ModelFolder[]> {
  if (isModel(root)) return withCheckpoints(basename(root), root);
  const found: ModelFolder[] = [];
  for (const name of inOrder(await subfolders(root))) {
    const path = join(root, name);
    if (name.startsWith(HUB_PREFIX)) {
      const snapshot = await snapshotOf(path);
      if (snapshot) found.push({ name: name.slice(HUB_PREFIX.length).replaceAll('--', '/'), path: snapshot });
    } else if (isModel(path)) {
      found.push(...(await withCheckpoints(name, path)));
    } else {
      for (const inner of inOrder(await subfolders(path))) {
        const nested = join(path, inner);
        if (isModel(nested)) found.push(...(await withCheckpoints(`${name}/${inner}`, nested)));
        else found.push(...(await withCheckpoints(`${name}/${inner}`, nested)).slice(1));
      }
    }
  }
  return found;
}

/**
 * Every folder with a config.json in the roots, one level of owner folders and the checkpoints inside of models included;
 * hub caches by their snapshots.
 * Where two roots have a model of the same name, the first root wins. Nothing is read.
 */
export async function findModels(roots: readonly string[] = defaultRoots()): Promise<ModelFolder[]> {
  const byName = new Map<string, ModelFolder>();
  for (const root of roots) {
    for (const model of await foldersIn(root)) if (!byName.has(model.name)) byName.set(model.name, model);
  }
  return [...byName.values()];
}

/** Describes one checkpoint from its config and the headers of its weights. @throws InputError */
export async function describeModel({ name, path }: ModelFolder): Promise<ModelListing> {
  const { config, tensors, parameterCount, warnings, close } = await openCheckpoint(path);
  await close();
  const counts = new Map<StoredDtype, number>();
  for (const { dtype, shape } of tensors.values()) {
    counts.set(dtype, (counts.get(dtype) ?? 0) + shape.reduce((product, size) => product * size, 1));
  }
  const [dtype] = [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most));
  return {
    name,
    path,
    format: config.format,
    layers: config.blocks.map(({ kind }) => kind),
    hidden_size: config.d,
    parameters: parameterCount,
    dtype,
    vocab_size: config.V,
    tied: config.tied,
    ...(warnings.length > 0 && { warnings }),
  };
}

/** Why a folder is not listed, whatever went wrong with it: one bad folder must never take the others away. */
export function problemOf({ path }: ModelFolder, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`${path} cannot be read (${code ?? message}).`);
}

export interface ListOptions {
  readonly roots?: readonly string[];
  /** Told of every folder that is not a usable checkpoint (a cache holds other people's architectures too). */
  readonly onSkipped?: (folder: ModelFolder, reason: InputError) => void;
}

/** Lists the usable checkpoints of the roots. Cost: one config and the weights' headers per model. */
export async function listModels({ roots = defaultRoots(), onSkipped }: ListOptions = {}): Promise<ModelListing[]> {
  const listed: ModelListing[] = [];
  for (const folder of await findModels(roots)) {
    try {
      listed.push(await describeModel(folder));
    } catch (error) {
      onSkipped?.(folder, problemOf(folder, error));
    }
  }
  return listed;
}

export interface ResolveOptions {
  readonly roots?: readonly string[];
  /** Refuses paths: for callers that must not be able to name files outside the roots. */
  readonly namesOnly?: boolean;
}

/**
 * The folder of a model by the name under which `listModels` shows it, or by its path.
 * @throws InputError where there is none, naming what there is
 */
export async function resolveModel(
  nameOrFolder: string,
  { roots = defaultRoots(), namesOnly = false }: ResolveOptions = {},
): Promise<ModelFolder> {
  const known = await findModels(roots);
  const named = known.find(({ name }) => name === nameOrFolder);
  if (named) return named;
  const path = resolve(nameOrFolder);
  if (!namesOnly && isModel(path)) return known.find((model) => model.path === path) ?? { name: basename(path), path };
  if (!namesOnly && existsSync(path)) throw new InputError(await notAModel(path));
  const names = known.map(({ name }) => name);
  const have = names.length
    ? `known models: ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`
    : 'no models were found';
  throw new InputError(
    `There is no model ${JSON.stringify(nameOrFolder)}${namesOnly ? '' : ' and no such folder with a config.json'}; ${have}.`,
  );
}

/** What a path holds in the place of a model, and what to name instead. */
async function notAModel(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory())
    return `${path} is a file; a model is named by its folder, which holds config.json and the weights.`;
  const inside = (await foldersIn(path)).map((model) => relative(path, model.path));
  if (inside.length > 0) {
    const shown = inside.slice(0, 6).join(', ') + (inside.length > 6 ? ', …' : '');
    return `${path} is no model itself, but holds some: ${shown}; name one of these folders.`;
  }
  return `${path} has no config.json, which says what the weights mean: copy it beside them from the model that they are of.${insteadOfWeights(path)}`;
}
