import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const WEIGHTS = /\.(safetensors|bin)$/;
const TEXT = /^(config|tokenizer|model\.safetensors\.index)\.json$/;
/** Read of either end of a file of weights. */
const END_BYTES = 1 << 20;

/**
 * Tells the content of a model folder from any other, however it was copied: configuration and tokenizer whole, of each file of
 * weights its size and both ends. Cost: reading 2 MB a file.
 */
export async function fingerprintOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(folder)).filter((name) => WEIGHTS.test(name) || TEXT.test(name)).sort();
  for (const name of names) {
    const path = join(folder, name);
    hash.update(`${name}\n`);
    if (TEXT.test(name)) hash.update(await readFile(path));
    else for (const part of await endsOf(path)) hash.update(part);
  }
  return hash.digest('hex').slice(0, 16);
}

async function endsOf(path: string): Promise<Uint8Array[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const head = await file.read({ position: 0, buffer: Buffer.alloc(Math.min(size, END_BYTES)) });
    const tail = await file.read({
      position: Math.max(0, size - END_BYTES),
      buffer: Buffer.alloc(Math.min(size, END_BYTES)),
    });
    return [Buffer.from(String(size)), head.buffer, tail.buffer];
  } finally {
    await file.close();
  }
}
