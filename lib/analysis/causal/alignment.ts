import { InputError } from '@/lib/checkpoint/types';
import type { Span } from '../span';

/** Tokens of two prompts that stand for each other, one by one: [start, end) in each. */
export interface AlignedSpans {
  readonly clean: Span;
  readonly corrupted: Span;
}

/**
 * Which token of the clean prompt stands for each token of the corrupted one; −1 where none does. Without spans the
 * prompts must be equally long, and every token stands for the one at its own place.
 * @throws InputError where lengths differ, or a span is outside its prompt.
 */
export function alignmentOf(clean: number, corrupted: number, spans?: readonly AlignedSpans[]): Int32Array {
  if (!spans) {
    if (clean === corrupted) return Int32Array.from({ length: corrupted }, (_, p) => p);
    throw new InputError(
      `The clean prompt has ${clean} tokens and the corrupted one ${corrupted}: make them equally long, or say which spans stand for each other.`,
    );
  }
  const counterpart = new Int32Array(corrupted).fill(-1);
  for (const span of spans) {
    requireSpan('clean prompt', span.clean, clean);
    requireSpan('corrupted prompt', span.corrupted, corrupted);
    const width = span.corrupted[1] - span.corrupted[0];
    if (span.clean[1] - span.clean[0] !== width)
      throw new InputError(
        `The aligned spans ${show(span.clean)} and ${show(span.corrupted)} have different lengths: a token must stand for a token.`,
      );
    for (let k = 0; k < width; k++) counterpart[span.corrupted[0] + k] = span.clean[0] + k;
  }
  return counterpart;
}

/** @throws InputError where [start, end) is empty or not within `length` tokens. */
export function requireSpan(what: string, span: Span, length: number): void {
  const [start, end] = span;
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= length) return;
  throw new InputError(`There is no span ${show(span)} in the ${what}, which has ${length} tokens: give [start, end).`);
}

const show = ([start, end]: Span) => `[${start}, ${end})`;
