/** Downloading one file: resumed where a connection broke, checked, and named only when complete. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { InputError } from '@/lib/checkpoint';
import type { RemoteFile } from './remote';
import { connectionError, type Patience, persistently, request, TransientError } from './requests';

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;

/** The place from which an answer continues; undefined where it does not fit what was asked for. */
function startOf({ status, headers }: Response, asked: number): number | undefined {
  if (status === 200) return 0;
  return status === 206 && headers.get('content-range')?.startsWith(`bytes ${asked}-`) ? asked : undefined;
}

async function appendBody(
  { url, size }: RemoteFile,
  response: Response,
  handle: FileHandle,
  start: number,
  onBytes: (received: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (let received = start; ; ) {
      const { done, value } = await reader.read().catch((cause) => {
        throw connectionError(url, cause, signal);
      });
      if (done && received < size) throw new TransientError(`the connection ended after ${received} of ${size} bytes`);
      if (done) return;
      received += value.byteLength;
      if (received > size) throw new InputError(`${url} sends more than the ${size} bytes announced: try again later.`);
      await handle.appendFile(value);
      onBytes(received);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Adds what is missing to the partial file, by an HTTP range where there is a beginning already. */
async function continueDownload(
  file: RemoteFile,
  partial: string,
  onBytes: (received: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const have = await sizeOf(partial);
  if (have === file.size && have > 0) return;
  const asked = have < file.size ? have : 0;
  const range = asked > 0 ? { range: `bytes=${asked}-` } : undefined;
  const response = await request(file.url, { headers: { 'accept-encoding': 'identity', ...range }, signal });
  const start = startOf(response, asked);
  if (start === undefined) {
    await response.body?.cancel();
    if (asked === 0) throw new InputError(`${file.url} cannot be downloaded: the hub answered ${response.status}.`);
    await rm(partial);
    throw new TransientError(`${new URL(file.url).host} would not continue ${file.name}`);
  }
  const handle = await open(partial, start > 0 ? 'a' : 'w');
  try {
    await appendBody(file, response, handle, start, onBytes, signal);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The digest that an etag is: sha256 of a large file, git's object id (sha1) of a small one. Mirrors may use others. */
function digestFor({ etag, size }: RemoteFile): Hash | undefined {
  if (/^[0-9a-f]{64}$/.test(etag)) return createHash('sha256');
  if (/^[0-9a-f]{40}$/.test(etag)) return createHash('sha1').update(`blob ${size}\0`);
  return undefined;
}

async function checkDigest(file: RemoteFile, partial: string): Promise<void> {
  const digest = digestFor(file);
  if (!digest) return;
  for await (const chunk of createReadStream(partial)) digest.update(chunk);
  const found = digest.digest('hex');
  if (found === file.etag) return;
  throw new InputError(
    `The download of ${file.name} is damaged (its checksum is ${found} and should be ${file.etag}); nothing was kept, try again.`,
  );
}

/**
 * Downloads a file to `path`, which appears only when its size and checksum are right. Until then it grows as
 * `path`.incomplete; a broken connection, or a new call after a crash, goes on from its end.
 * @param onBytes told how many bytes of the file are there
 * @throws InputError for a wrong checksum or size (the partial file is removed) and after too many failures in a row
 */
export async function downloadFile(
  file: RemoteFile,
  path: string,
  onBytes: (received: number) => void,
  patience: Patience,
): Promise<void> {
  const partial = `${path}.incomplete`;
  let furthest = 0;
  let before = 0;
  const count = (received: number) => {
    furthest = Math.max(furthest, received);
    onBytes(received);
  };
  const advanced = () => {
    const more = furthest > before;
    before = furthest;
    return more;
  };
  await persistently(() => continueDownload(file, partial, count, patience.signal), patience, advanced);
  try {
    await checkDigest(file, partial);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await rename(partial, path);
}
