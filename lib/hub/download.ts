/** Downloading one file: resumed where a connection broke, checked, and named only when complete. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { InputError } from '@/lib/checkpoint';
import { type RemoteFile, type RemoteModel, refusal } from './remote';
import { connectionError, hubFetch, type Patience, persistently, TransientError } from './requests';

const sizeOf = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;

/** Adds what is missing to the partial file, whose end tells where to go on. */
async function continueDownload(
  { endpoint, model, commit }: RemoteModel,
  { name, size }: RemoteFile,
  partial: string,
  onBytes: (received: number) => void,
  patience: Patience,
): Promise<void> {
  const have = await sizeOf(partial);
  if (have === size && have > 0) return;
  let failure: unknown;
  const fetch = hubFetch(patience, (error) => {
    failure = error;
  });
  const { downloadFile: openRemote } = await import('@huggingface/hub');
  const blob = await openRemote({
    repo: model,
    path: name,
    revision: commit,
    hubUrl: endpoint,
    fetch,
    // Ranges over plain HTTP: a partial file goes on at any byte, whatever store the hub keeps it in.
    xet: false,
  }).catch(async (error) => {
    throw await refusal(error, endpoint, model);
  });
  if (!blob) throw new InputError(`${model} on ${endpoint} has lost ${name}: try again later.`);
  const start = have < size ? have : 0;
  const reader = blob.slice(start).stream().getReader();
  const handle = await open(partial, start > 0 ? 'a' : 'w');
  try {
    for (let received = start; ; ) {
      const { done, value } = await reader.read().catch((cause) => {
        throw failure ?? connectionError(new URL(endpoint).host, cause, patience.signal);
      });
      if (done && received < size) throw new TransientError(`the connection ended after ${received} of ${size} bytes`);
      if (done) break;
      received += value.byteLength;
      if (received > size)
        throw new InputError(`${endpoint} sends more than the ${size} bytes of ${name} announced: try again later.`);
      await handle.appendFile(value);
      onBytes(received);
    }
    await handle.sync();
  } finally {
    await handle.close();
    await reader.cancel().catch(() => undefined);
  }
}

/** The digest that an etag is: sha256 of a large file, git's object id (sha1) of a small one. */
function digestFor({ etag, size }: RemoteFile): Hash {
  return etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

async function checkDigest(file: RemoteFile, partial: string): Promise<void> {
  const digest = digestFor(file);
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
  source: RemoteModel,
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
  await persistently(() => continueDownload(source, file, partial, count, patience), patience, advanced);
  try {
    await checkDigest(file, partial);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await rename(partial, path);
}
