/** What a hub says about a model before anything is downloaded. */

import { InputError } from '@/lib/checkpoint';
import { hubFetch, type Patience, persistently } from './requests';

export interface RemoteFile {
  readonly name: string;
  /** The digest of the content, as the hub names it: the sha256 of a large file, the git object id of a small one. */
  readonly etag: string;
  readonly size: number;
}

export interface RemoteModel {
  readonly endpoint: string;
  readonly model: string;
  /** The commit that the files are of, 40 hexadecimal digits. */
  readonly commit: string;
  /** By name; those at the top of the repository. */
  readonly files: ReadonlyMap<string, RemoteFile>;
}

/** `owner/name`, with the letters that a hub allows. */
export const HUB_NAME = /^(?!.*(?:--|\.\.))[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;

/**
 * The files of a model's newest commit, with their sizes and digests. Cost: two small requests.
 * @throws InputError where the hub does not have the model, or the answer lacks what a safe download needs
 */
export async function remoteModel(endpoint: string, model: string, patience: Patience): Promise<RemoteModel> {
  const { HubApiError, listFiles, modelInfo } = await import('@huggingface/hub');
  const common = { hubUrl: endpoint, fetch: hubFetch(patience) };
  const asked = async (): Promise<RemoteModel> => {
    const { sha } = await modelInfo({ ...common, name: model, revision: 'main', additionalFields: ['sha'] });
    // Commits and digests become names of folders and files, so they must be what they claim to be.
    if (!/^[0-9a-f]{40}$/.test(sha ?? '')) throw incomplete(endpoint, model, 'its commit');
    const files = new Map<string, RemoteFile>();
    for await (const { type, path, size, oid, lfs } of listFiles({ ...common, repo: model, revision: sha })) {
      if (type !== 'file') continue;
      const etag = lfs?.oid ?? oid ?? '';
      if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) || !Number.isSafeInteger(size))
        throw incomplete(endpoint, model, `checksum and size of ${path}`);
      files.set(path, { name: path, etag, size });
    }
    return { endpoint, model, commit: sha, files };
  };
  return persistently(asked, patience).catch(async (error) => {
    if (error instanceof HubApiError && [401, 403, 404].includes(error.statusCode))
      throw new InputError(`${endpoint} has no public model ${model}: check the name.`);
    throw await refusal(error, endpoint, model);
  });
}

/** What the library throws at an answer of the hub that it cannot use, in one sentence; other errors as they are. */
export async function refusal(error: unknown, endpoint: string, model: string): Promise<unknown> {
  const { HubApiError, InvalidApiResponseFormatError } = await import('@huggingface/hub');
  if (error instanceof HubApiError)
    return new InputError(`${endpoint} refused ${model} with status ${error.statusCode}.`);
  if (error instanceof InvalidApiResponseFormatError || error instanceof SyntaxError)
    return new InputError(`${endpoint} does not answer as a hub does: check HF_ENDPOINT.`);
  return error;
}

const incomplete = (endpoint: string, model: string, what: string) =>
  new InputError(`${endpoint} lists ${model} without ${what}, as a hub does: check HF_ENDPOINT.`);
