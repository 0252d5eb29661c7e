/** A look at JSON before it is parsed: what an attacker or a damaged disk wrote can take a parser minutes and gigabytes. */

import { InputError } from './input-error';

/** Deeper than configs and indexes nest. */
const DEEPEST = 100;

/** More than an index of the largest model names. */
const MOST_VALUES = 1_000_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

export interface JsonLimits {
  readonly deepest?: number;
  readonly most?: number;
}

/**
 * Refuses JSON that nests deeper or holds more values than any file of its kind. Whether it is JSON shows when it is parsed.
 * Cost: one pass over the bytes.
 * @throws InputError
 */
export function checkJsonForm(
  json: Uint8Array,
  label: string,
  { deepest = DEEPEST, most = MOST_VALUES }: JsonLimits = {},
): void {
  let depth = 0;
  let values = 1;
  let quoted = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (quoted) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === COMMA) values++;
    else if (byte === OPENING[0] || byte === OPENING[1]) {
      values++;
      depth++;
      if (depth > deepest) throw new InputError(`${label} nests deeper than any such file; replace the file.`);
    } else if (byte === CLOSING[0] || byte === CLOSING[1]) depth--;
    if (values > most) throw new InputError(`${label} holds more than ${most} values; replace the file.`);
  }
}
