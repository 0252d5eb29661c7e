import { Random } from './random';
import { type RetrievalExample, retrievalExample } from './retrieval';

/** Sentences of a story that `demo:n` asks for. */
const STORY = [2, 12] as const;

/** Held-out prompts whose stories have `fewest` to `most` sentences; the same for the same seed. */
export function heldOutExamples(
  seed: number,
  count: number,
  [fewest, most]: readonly [number, number],
): RetrievalExample[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () =>
    retrievalExample(random, { sentences: random.integer(fewest, most), split: 'held-out' }),
  );
}

/**
 * `demo:n` as n held-out stories of the demo task, JSON lines for {@link parseSnrExamples}; undefined for any other text.
 * A longer batch begins with the stories of a shorter one.
 */
export function demoLines(source: string, seed: number): string | undefined {
  const demo = /^demo:([1-9]\d{0,5})$/.exec(source);
  if (!demo) return undefined;
  return heldOutExamples(seed, Number(demo[1]), STORY)
    .map((story) => JSON.stringify(story))
    .join('\n');
}
