/** Bytes of the head of a WOFF file, of each entry of its directory, and of the same in an sfnt file. */
const [HEAD, ENTRY, SFNT_HEAD, SFNT_ENTRY] = [44, 20, 12, 16];
const WOFF = 0x774f4646;

const inflated = async (bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> =>
  new Uint8Array(
    await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer(),
  );

/** The TrueType file inside a WOFF file: the same tables, unpacked. @throws Error where it is no WOFF file. */
export async function trueTypeOf(woff: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const source = new DataView(woff.buffer, woff.byteOffset, woff.byteLength);
  if (woff.length < HEAD || source.getUint32(0) !== WOFF) throw new Error('A font of this page is no WOFF file.');
  const count = source.getUint16(12);
  const tables = await Promise.all(
    Array.from({ length: count }, async (_, k) => {
      const at = HEAD + ENTRY * k;
      const [tag, offset, packed, length, sum] = [0, 4, 8, 12, 16].map((field) => source.getUint32(at + field));
      const bytes = woff.slice(offset, offset + packed);
      return { tag, sum, bytes: packed < length ? await inflated(bytes) : bytes };
    }),
  );
  const padded = (length: number) => Math.ceil(length / 4) * 4;
  const size = tables.reduce((sum, { bytes }) => sum + padded(bytes.length), SFNT_HEAD + SFNT_ENTRY * count);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  const power = Math.floor(Math.log2(count));
  view.setUint32(0, source.getUint32(4));
  for (const [k, value] of [count, 16 * 2 ** power, power, 16 * (count - 2 ** power)].entries())
    view.setUint16(4 + 2 * k, value);
  let end = SFNT_HEAD + SFNT_ENTRY * count;
  for (const [k, { tag, sum, bytes }] of tables.entries()) {
    for (const [field, value] of [tag, sum, end, bytes.length].entries())
      view.setUint32(SFNT_HEAD + SFNT_ENTRY * k + 4 * field, value);
    out.set(bytes, end);
    end += padded(bytes.length);
  }
  return out;
}
