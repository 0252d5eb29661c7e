/** The folder layout of the Hugging Face cache, shared with the Python tools. */

import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { InputError } from '@/lib/checkpoint';

export interface Repository {
  /** Contents by their etag. */
  blob(etag: string): string;
  snapshot(commit: string): string;
  /** Shows a content under its name in a snapshot. */
  link(etag: string, commit: string, name: string): Promise<void>;
  /** Records which commit `main` is. */
  setMain(commit: string): Promise<void>;
}

/** models--{owner}--{name} with blobs/, snapshots/{commit}/ and refs/main. */
export async function openRepository(cache: string, model: string): Promise<Repository> {
  const { getRepoFolderName } = await import('@huggingface/hub');
  const root = join(cache, getRepoFolderName({ type: 'model', name: model }));
  const blob = (etag: string) => join(root, 'blobs', etag);
  const snapshot = (commit: string) => join(root, 'snapshots', commit);
  await mkdir(join(root, 'blobs'), { recursive: true });
  return {
    blob,
    snapshot,
    async link(etag, commit, name) {
      const target = join(snapshot(commit), name);
      const fresh = `${target}.partial-${process.pid}`;
      await mkdir(dirname(target), { recursive: true });
      await rm(fresh, { force: true });
      // File systems and accounts without symbolic links get a copy, as in huggingface_hub.
      await symlink(relative(dirname(target), blob(etag)), fresh).catch(() => copyFile(blob(etag), fresh));
      await rename(fresh, target);
    },
    async setMain(commit) {
      const target = join(root, 'refs', 'main');
      await mkdir(dirname(target), { recursive: true });
      await writeFile(`${target}.partial-${process.pid}`, commit);
      await rename(`${target}.partial-${process.pid}`, target);
    },
  };
}

/** The shards that an index names. @throws InputError unless all are .safetensors files beside it */
export async function shardsOf(indexPath: string): Promise<string[]> {
  const broken = new InputError(
    'model.safetensors.index.json is not an index of .safetensors files beside it: the repository cannot be used.',
  );
  let map: unknown;
  try {
    map = JSON.parse(await readFile(indexPath, 'utf8')).weight_map;
  } catch {
    throw broken;
  }
  if (typeof map !== 'object' || map === null) throw broken;
  const shards = [...new Set<unknown>(Object.values(map))];
  const usable = (name: unknown): name is string =>
    typeof name === 'string' && basename(name) === name && name.endsWith('.safetensors');
  if (shards.length === 0 || !shards.every(usable)) throw broken;
  return shards;
}
