/** The alphabet in which byte-level tokenizers write bytes: printable Latin-1 as itself, the rest from U+0100 on. */

const isPrintable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

const BYTE_OF = new Map<string, number>();

let moved = 0;
for (let byte = 0; byte < 256; byte++)
  BYTE_OF.set(String.fromCharCode(isPrintable(byte) ? byte : 0x100 + moved++), byte);

/** The characters of the bytes 0 to 255. */
export const BYTE_ALPHABET: readonly string[] = [...BYTE_OF]
  .sort(([, a], [, b]) => a - b)
  .map(([character]) => character);

/** How the alphabet writes a space. */
export const SPACE = 'Ġ';

/** The bytes of a byte-level token; nothing where it has a character outside the alphabet. */
export function bytesOf(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text for the eye; pieces of a character that is split over several tokens are written `<0xE2>`. */
export function showBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    let shown = '';
    for (let at = 0; at < bytes.length; ) {
      const lead = bytes[at];
      const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      const character = tryDecode(bytes.subarray(at, at + length));
      shown += character ?? `<0x${lead.toString(16).toUpperCase().padStart(2, '0')}>`;
      at += character === undefined ? 1 : length;
    }
    return shown;
  }
}

function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
