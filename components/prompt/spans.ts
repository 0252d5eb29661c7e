import { spanOfTokens, type TokenSpan, tokensInSpan } from '../charts/tokens';
import type { Spans } from '../state/selection';

/** Which tokens lie in spans of characters. */
export function marked(tokens: readonly TokenSpan[], spans: Spans): boolean[] {
  const inside = new Array<boolean>(tokens.length).fill(false);
  for (const span of spans) {
    const [first, last] = tokensInSpan(tokens, span) ?? [0, -1];
    inside.fill(true, first, last + 1);
  }
  return inside;
}

/** Spans of characters with the tokens between two ones put in, or taken out; what touches becomes one span. */
export function repainted(
  tokens: readonly TokenSpan[],
  spans: Spans,
  [from, to]: readonly [number, number],
  put: boolean,
): Spans {
  const inside = marked(tokens, spans).fill(put, Math.min(from, to), Math.max(from, to) + 1);
  const found: (readonly [number, number])[] = [];
  for (let first = inside.indexOf(true); first >= 0; ) {
    const end = inside.indexOf(false, first);
    const last = (end < 0 ? inside.length : end) - 1;
    found.push(spanOfTokens(tokens, first, last));
    first = inside.indexOf(true, last + 1);
  }
  return found;
}
