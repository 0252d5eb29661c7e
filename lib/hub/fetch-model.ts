/** Models by their hub name: from this machine where they are, otherwise, if allowed, from the hub. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  defaultRoots,
  hubCache,
  InputError,
  type ModelFolder,
  type ResolveOptions,
  resolveModel,
} from '@/lib/checkpoint';
import { hasWeights, openRepository, type Repository, shardsOf } from './cache';
import { downloadFile } from './download';
import { HUB_NAME, type RemoteFile, remoteFile } from './remote';
import type { Patience } from './requests';

export interface DownloadProgress {
  readonly file: string;
  /** Bytes of this file that are there, and its size. */
  readonly received: number;
  readonly size: number;
  /** The same over all files of the model. */
  readonly totalReceived: number;
  readonly totalSize: number;
}

export interface FetchOptions extends ResolveOptions {
  /** Default: whether STATESCOPE_ALLOW_DOWNLOAD is 1. */
  readonly allowDownload?: boolean;
  /** Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string;
  /** Where downloads go; default: the Hugging Face cache (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME). */
  readonly cache?: string;
  /** Told after every piece that arrives. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Failures in a row, without a byte of progress, after which a download gives up. Default 5. */
  readonly retries?: number;
  /** Milliseconds before the first retry, doubled with each failure in a row. Default 1000. */
  readonly retryPauseMs?: number;
}

const REVISION = 'main';

function endpointOf(given: string | undefined): string {
  const endpoint = (given ?? process.env.HF_ENDPOINT ?? '') || 'https://huggingface.co';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new InputError(`HF_ENDPOINT ${JSON.stringify(endpoint)} is not a web address: write https://host.`);
  return endpoint.replace(/\/+$/, '');
}

/** One model on one hub. */
interface Source {
  readonly endpoint: string;
  readonly model: string;
  readonly repository: Repository;
  readonly patience: Patience;
}

/** The files of one commit to be downloaded, config.json last. */
async function filesOf({ endpoint, model, repository, patience }: Source): Promise<RemoteFile[]> {
  const config = await remoteFile(endpoint, model, REVISION, 'config.json', patience);
  if (!config) throw new InputError(`${endpoint} has no model ${model} with a config.json: check the name.`);
  const find = (name: string) => remoteFile(endpoint, model, config.commit, name, patience);
  const files: RemoteFile[] = [];
  const single = await find('model.safetensors');
  const index = single ? undefined : await find('model.safetensors.index.json');
  if (single) files.push(single);
  else if (index) {
    const path = repository.blob(index.etag);
    if (!existsSync(path)) await downloadFile(index, path, () => undefined, patience);
    for (const name of await shardsOf(path)) {
      const shard = await find(name);
      if (!shard) throw new InputError(`${model} on ${endpoint} lacks ${name}, which its index names.`);
      files.push(shard);
    }
    files.push(index);
  } else {
    const torch = await find('pytorch_model.bin');
    if (!torch)
      throw new InputError(
        `${model} on ${endpoint} has no model.safetensors and no pytorch_model.bin: choose another.`,
      );
    files.push(torch);
  }
  const tokenizer = await find('tokenizer.json');
  return tokenizer ? [...files, tokenizer, config] : [...files, config];
}

/** Contents first, then the names: a folder with a config.json is a model, so config.json is linked last. */
async function downloadModel(source: Source, onProgress: FetchOptions['onProgress']): Promise<ModelFolder> {
  const { model, repository, patience } = source;
  const files = await filesOf(source);
  const { commit } = files[0];
  const totalSize = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const file of files) {
    const { name, size } = file;
    const path = repository.blob(file.etag);
    const report = (received: number) =>
      onProgress?.({ file: name, received, size, totalReceived: done + received, totalSize });
    if (existsSync(path)) report(size);
    else await downloadFile(file, path, report, patience);
    done += size;
  }
  for (const { etag, name } of files) await repository.link(etag, commit, name);
  await repository.setMain(commit);
  return { name: model, path: repository.snapshot(commit) };
}

const underway = new Map<string, Promise<ModelFolder>>();

/**
 * The folder of a model: what `resolveModel` finds on this machine (bundled, STATESCOPE_MODELS, the Hugging Face cache, a
 * path), otherwise a download of config.json, tokenizer.json and the weights (`model.safetensors`, the shards of its
 * index, or `pytorch_model.bin`) of `owner/name` into the Hugging Face cache, where other tools find them too. Broken
 * connections are resumed; size and checksum are verified; a model appears only when complete. Two calls for the same
 * model share one download (and the first one's `onProgress` and `signal`). Only public models; no token is sent.
 * Cost: nothing over the network for a model that is here.
 * @throws InputError where the model is not here and downloading is off, the hub does not have it, or the download fails
 */
export async function fetchModel(name: string, options: FetchOptions = {}): Promise<ModelFolder> {
  const { allowDownload = process.env.STATESCOPE_ALLOW_DOWNLOAD === '1', onProgress, signal } = options;
  const cache = resolve(options.cache ?? hubCache(process.env));
  const isHubName = HUB_NAME.test(name);
  const roots = [...(options.roots ?? defaultRoots()), cache];
  const local = await resolveModel(name, { ...options, roots }).catch((error) => {
    if (!(error instanceof InputError) || !isHubName) throw error;
    return undefined;
  });
  if (local && (!isHubName || (await hasWeights(local.path)))) return local;
  const endpoint = endpointOf(options.endpoint);
  if (!allowDownload)
    throw new InputError(
      `The model ${name} is not ${local ? 'complete ' : ''}on this machine and downloading is off: set STATESCOPE_ALLOW_DOWNLOAD=1 to get it from ${endpoint}, or choose a model that is here.`,
    );
  const patience = { retries: options.retries ?? 5, pauseMs: options.retryPauseMs ?? 1000, signal };
  const key = `${endpoint} ${cache} ${name}`;
  const shared = underway.get(key);
  if (shared) return shared;
  const download = openRepository(cache, name)
    .then((repository) => downloadModel({ endpoint, model: name, repository, patience }, onProgress))
    .finally(() => underway.delete(key));
  underway.set(key, download);
  return download;
}
