/** What a hub says about a file before it is downloaded. */

import { InputError } from '@/lib/checkpoint';
import { type Patience, persistently, request } from './requests';

export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  /** The commit of the repository, 40 hexadecimal digits. */
  readonly commit: string;
  /** Names the content: the sha256 of a large file, the git object id of a small one. */
  readonly etag: string;
  readonly size: number;
}

const LONGEST_WAY = 5;

/** `owner/name`, with the letters that a hub allows. */
export const HUB_NAME = /^(?!.*(?:--|\.\.))[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;

const plainEtag = (etag: string | null) => etag?.replace(/^W\//, '').replaceAll('"', '') || undefined;

/**
 * Asks a hub for one file of a repository: HEAD {endpoint}/{model}/resolve/{revision}/{file}. Redirects inside the hub
 * (renamed repositories) are followed; the one to the store of large files is not, since the facts stand on it.
 * @returns undefined where the repository has no such file
 * @throws InputError where the repository is not there, or the answer lacks the facts that a safe download needs
 */
export async function remoteFile(
  endpoint: string,
  model: string,
  revision: string,
  name: string,
  patience: Patience,
): Promise<RemoteFile | undefined> {
  const url = `${endpoint}/${model}/resolve/${revision}/${name}`;
  const facts: { commit?: string; etag?: string; size?: number } = {};
  let place = url;
  for (let hop = 0; hop < LONGEST_WAY; hop++) {
    const { status, headers } = await persistently(
      () =>
        request(place, {
          method: 'HEAD',
          redirect: 'manual',
          headers: { 'accept-encoding': 'identity' },
          signal: patience.signal,
        }),
      patience,
    );
    if (status === 401 || status === 403 || headers.get('x-error-code') === 'RepoNotFound')
      throw new InputError(`${endpoint} has no public model ${model}: check the name.`);
    if (status === 404) return undefined;
    if (status >= 400) throw new InputError(`${endpoint} refused ${model}/${name} with status ${status}.`);
    facts.commit ??= headers.get('x-repo-commit') ?? undefined;
    facts.etag ??= plainEtag(headers.get('x-linked-etag'));
    if (headers.has('x-linked-size')) facts.size ??= Number(headers.get('x-linked-size'));
    const location = headers.get('location');
    const next = status >= 300 && location ? new URL(location, place) : undefined;
    if (next && next.origin === new URL(place).origin) {
      place = next.href;
      continue;
    }
    facts.etag ??= plainEtag(headers.get('etag'));
    if (status === 200 && headers.has('content-length')) facts.size ??= Number(headers.get('content-length'));
    return complete(name, url, facts);
  }
  throw new InputError(`${url} redirects in a circle: check HF_ENDPOINT.`);
}

/** Commit and etag become names of folders and files, so they must be what they claim to be. */
function complete(name: string, url: string, { commit, etag, size }: Partial<RemoteFile>): RemoteFile {
  const usable =
    /^[0-9a-f]{40}$/.test(commit ?? '') && /^\w[\w-]{0,127}$/.test(etag ?? '') && Number.isSafeInteger(size);
  if (!usable)
    throw new InputError(`${url} came without its commit, checksum or size, as a hub sends them: check HF_ENDPOINT.`);
  return { name, url, commit: commit as string, etag: etag as string, size: size as number };
}
