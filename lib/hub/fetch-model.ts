/** Models by their hub name: from this machine where they are, otherwise, if allowed, from the hub. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  defaultRoots,
  hubCache,
  InputError,
  isComplete,
  type ModelFolder,
  type ResolveOptions,
  resolveModel,
} from '@/lib/checkpoint';
import { openRepository, type Repository, shardsOf } from './cache';
import { downloadFile } from './download';
import { HUB_NAME, type RemoteFile, type RemoteModel, remoteModel } from './remote';
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

function endpointOf(given: string | undefined): string {
  const endpoint = (given ?? process.env.HF_ENDPOINT ?? '') || 'https://huggingface.co';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new InputError(`HF_ENDPOINT ${JSON.stringify(endpoint)} is not a web address: write https://host.`);
  return endpoint.replace(/\/+$/, '');
}

/** Where there is no tokenizer.json, the files that it is made from. */
const tokenizerNames = (hasOwn: boolean): string[] => [
  ...(hasOwn ? ['tokenizer.json'] : ['vocab.json', 'merges.txt', 'special_tokens_map.json', 'added_tokens.json']),
  'tokenizer_config.json',
];

/** The files of a model to be downloaded, config.json last. */
async function filesOf(source: RemoteModel, repository: Repository, patience: Patience): Promise<RemoteFile[]> {
  const { endpoint, model, files } = source;
  const config = files.get('config.json');
  if (!config) throw new InputError(`${endpoint} has no model ${model} with a config.json: check the name.`);
  const tokenizer = tokenizerNames(files.has('tokenizer.json')).flatMap((name) => files.get(name) ?? []);
  return [...(await weightsOf(source, repository, patience)), ...tokenizer, config];
}

async function weightsOf(source: RemoteModel, repository: Repository, patience: Patience): Promise<RemoteFile[]> {
  const { endpoint, model, files } = source;
  const single = files.get('model.safetensors');
  if (single) return [single];
  const index = files.get('model.safetensors.index.json');
  if (index) {
    const path = repository.blob(index.etag);
    if (!existsSync(path)) await downloadFile(source, index, path, () => undefined, patience);
    const shards = (await shardsOf(path)).map((name) => {
      const shard = files.get(name);
      if (!shard) throw new InputError(`${model} on ${endpoint} lacks ${name}, which its index names.`);
      return shard;
    });
    return [...shards, index];
  }
  const torch = files.get('pytorch_model.bin');
  if (torch) return [torch];
  throw new InputError(`${model} on ${endpoint} has no model.safetensors and no pytorch_model.bin: choose another.`);
}

/** Contents first, then the names: a folder with a config.json is a model, so config.json is linked last. */
async function downloadModel(
  source: RemoteModel,
  repository: Repository,
  patience: Patience,
  onProgress: FetchOptions['onProgress'],
): Promise<string> {
  const files = await filesOf(source, repository, patience);
  const totalSize = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const file of files) {
    const { name, size } = file;
    const path = repository.blob(file.etag);
    const report = (received: number) =>
      onProgress?.({ file: name, received, size, totalReceived: done + received, totalSize });
    if (existsSync(path)) report(size);
    else await downloadFile(source, file, path, report, patience);
    done += size;
  }
  for (const { etag, name } of files) await repository.link(etag, source.commit, name);
  await repository.setMain(source.commit);
  return repository.snapshot(source.commit);
}

const underway = new Map<string, Promise<ModelFolder>>();

/**
 * The folder of a model: what `resolveModel` finds on this machine (bundled, STATESCOPE_MODELS, the Hugging Face cache, a
 * path), otherwise a download of config.json, tokenizer.json, tokenizer_config.json and the weights (`model.safetensors`, the shards of its
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
  if (local && (!isHubName || (await isComplete(local.path)))) return local;
  const endpoint = endpointOf(options.endpoint);
  if (!allowDownload)
    throw new InputError(
      `The model ${name} is not ${local ? 'complete ' : ''}on this machine and downloading is off: set STATESCOPE_ALLOW_DOWNLOAD=1 to get it from ${endpoint}, or choose a model that is here.`,
    );
  const patience = { retries: options.retries ?? 5, pauseMs: options.retryPauseMs ?? 1000, signal };
  const key = `${endpoint} ${cache} ${name}`;
  const shared = underway.get(key);
  if (shared) return shared;
  const download = Promise.all([openRepository(cache, name), remoteModel(endpoint, name, patience)])
    .then(([repository, source]) => downloadModel(source, repository, patience, onProgress))
    .then((path) => ({ name, path }))
    .finally(() => underway.delete(key));
  underway.set(key, download);
  return download;
}
