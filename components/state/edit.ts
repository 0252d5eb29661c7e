import type { Example } from '@/lib/api/schemas';
import { type Selection, type Spans, select } from './selection';

/**
 * Where a span of characters is after its text was edited: the same words at the nearest place, or null when
 * they are gone.
 */
export function moveSpan(
  before: string,
  after: string,
  span: readonly [number, number] | null,
): [number, number] | null {
  if (!span) return null;
  const words = before.slice(span[0], span[1]);
  if (words === '') return null;
  let best = -1;
  for (let at = after.indexOf(words); at >= 0; at = after.indexOf(words, at + 1))
    if (best < 0 || Math.abs(at - span[0]) < Math.abs(best - span[0])) best = at;
  return best < 0 ? null : [best, best + words.length];
}

export const editPrompt = (
  { prompt, needle, competing, question }: Pick<Selection, 'prompt' | 'needle' | 'competing' | 'question'>,
  text: string,
): void => {
  const moved = (spans: Spans) => spans.flatMap((span) => [moveSpan(prompt, text, span)].filter((one) => one !== null));
  if (text !== prompt)
    select({
      prompt: text,
      exampleId: '',
      position: -1,
      lock: null,
      needle: moveSpan(prompt, text, needle),
      competing: moved(competing),
      question: moved(question),
    });
};

export const loadExample = (example: Example): void =>
  select({
    exampleId: example.id,
    prompt: example.prompt,
    needle: example.needle,
    competing: example.classes?.competing ?? [],
    question: example.classes?.question ?? [],
    target: example.target,
    candidates: example.candidates,
    position: -1,
    lock: null,
  });
