/** Decoders that work token by token, as those of the Python package do; the library's differ in the first and the broken ones. */

import { type Component, components } from './definition';
import { patternOf } from './pattern';

type Decoder = (tokens: readonly string[]) => string[];

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Runs of byte tokens as text; each byte of a run that is none is a replacement character. */
function byteFallback(tokens: readonly string[]): string[] {
  const result: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      result.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      result.push(...bytes.map(() => '\ufffd'));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) bytes.push(Number.parseInt(byte[1], 16));
    else {
      flush();
      result.push(token);
    }
  }
  flush();
  return result;
}

/** Up to so many of a character off the ends of a text. */
function stripped(text: string, content: string, start: number, stop: number): string {
  const characters = Array.from(text);
  let from = 0;
  while (from < start && characters[from] === content) from++;
  let to = characters.length;
  while (characters.length - to < stop && to > from && characters[to - 1] === content) to--;
  return characters.slice(from, to).join('');
}

function decoderOf(component: Component): Decoder | undefined {
  switch (component.type) {
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Replace': {
      const pattern = patternOf(component.pattern);
      return (tokens) => tokens.map((token) => token.replace(pattern, () => String(component.content ?? '')));
    }
    case 'Strip':
      return (tokens) =>
        tokens.map((token) =>
          stripped(token, String(component.content ?? ' '), Number(component.start ?? 0), Number(component.stop ?? 0)),
        );
    case 'Metaspace': {
      const mark = typeof component.replacement === 'string' ? component.replacement : '▁';
      const scheme = component.prepend_scheme ?? ((component.add_prefix_space ?? true) ? 'always' : 'never');
      return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && scheme !== 'never' ? '' : ' '));
    }
    default:
      return undefined;
  }
}

/** Tokens to text; undefined where a part of the decoder is the library's. */
export function exactDecoder(component: Component | null): ((tokens: readonly string[]) => string) | undefined {
  if (!component) return (tokens) => tokens.join(' ');
  const parts = components(component).filter(({ type }) => type !== 'Sequence');
  const decoders = parts.map(decoderOf);
  if (parts.length === 0 || !decoders.every((decoder) => decoder !== undefined)) return undefined;
  return (tokens) => decoders.reduce((current, decode) => decode(current), [...tokens]).join('');
}
