/**
 * The directory of a zip archive, read in place. Torch stores its members uncompressed, so a weight is a byte range of
 * the archive itself and nothing is ever inflated.
 */

import type { ByteSource } from './files';
import { InputError } from './types';

export interface ZipMember {
  readonly name: string;
  readonly size: number;
  /** Where the member's bytes start in the archive. */
  start(): Promise<number>;
}

const END = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 65535;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** A 32-bit field with this value is told in the zip64 extra field instead. */
const ELSEWHERE = 0xffffffff;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const broken = (source: ByteSource, what: string) =>
  new InputError(`${source.label} is not a complete zip archive: ${what}; copy or download it again.`);

/** Position and size of the central directory. */
async function findDirectory(source: ByteSource): Promise<{ start: number; size: number }> {
  const tailSize = Math.min(source.size, END_BYTES + LONGEST_COMMENT);
  const tailStart = source.size - tailSize;
  const tail = viewOf(await source.read(tailStart, tailSize));
  let at = tailSize - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw broken(source, 'its end is missing');
  const size = tail.getUint32(at + 12, true);
  const start = tail.getUint32(at + 16, true);
  const locator = at - 20;
  if (locator < 0 || tail.getUint32(locator, true) !== LOCATOR64) return { start, size };
  const end64 = viewOf(await source.read(Number(tail.getBigUint64(locator + 8, true)), 56));
  if (end64.getUint32(0, true) !== END64) throw broken(source, 'its zip64 end is missing');
  return { start: Number(end64.getBigUint64(48, true)), size: Number(end64.getBigUint64(40, true)) };
}

/** The 64-bit values that replace full 32-bit fields, in the order of the format: size, packed size, offset. */
function longFields(extra: DataView, fields: readonly number[]): number[] {
  const result = [...fields];
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === 1) {
      let from = at + 4;
      fields.forEach((value, i) => {
        if (value !== ELSEWHERE || from + 8 > Math.min(extra.byteLength, at + 4 + length)) return;
        result[i] = Number(extra.getBigUint64(from, true));
        from += 8;
      });
    }
    at += 4 + length;
  }
  return result;
}

async function dataStart(source: ByteSource, local: number): Promise<number> {
  const header = viewOf(await source.read(local, LOCAL_BYTES));
  if (header.getUint32(0, true) !== LOCAL) throw broken(source, 'a member has no header');
  return local + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
}

/**
 * Lists the members of an archive.
 * @throws InputError where the directory is damaged or a member is compressed or reaches past the file's end
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipMember>> {
  const { start, size } = await findDirectory(source);
  const bytes = await source.read(start, size);
  const view = viewOf(bytes);
  const members = new Map<string, ZipMember>();
  for (let at = 0; at < bytes.byteLength; ) {
    if (at + ENTRY_BYTES > bytes.byteLength || view.getUint32(at, true) !== ENTRY) {
      throw broken(source, 'its directory is damaged');
    }
    const nameEnd = at + ENTRY_BYTES + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    if (extraEnd > bytes.byteLength) throw broken(source, 'its directory is damaged');
    const name = new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, nameEnd));
    const extra = viewOf(bytes.subarray(nameEnd, extraEnd));
    const written = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
    const [memberSize, , local] = longFields(extra, written);
    if (view.getUint16(at + 10, true) !== 0) {
      throw new InputError(`${source.label}: its member ${name} is compressed; save it again with torch.save.`);
    }
    members.set(name, { name, size: memberSize, start: () => dataStart(source, local) });
    at = extraEnd + view.getUint16(at + 32, true);
  }
  return members;
}
