import { Random } from '@/lib/random';
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

const DEMO = /^demo:([1-9]\d{0,5})$/;

/** The n of `demo:n`; undefined for any other text. */
export function demoCount(source: string): number | undefined {
  const found = DEMO.exec(source);
  return found ? Number(found[1]) : undefined;
}

/** Stories of the training split without end, each with one question and its answer; the same for the same seed. */
export function* trainingStories(seed: number): Generator<string, never, void> {
  const random = new Random(seed);
  for (;;) {
    const { prompt, target } = retrievalExample(random, { sentences: random.integer(...STORY), split: 'train' });
    yield `${prompt} ${target}`;
  }
}

/** The prompts alone of `demo:n`. */
export const demoPrompts = (source: string, seed: number): string[] =>
  heldOutExamples(seed, demoCount(source) ?? 0, STORY).map(({ prompt }) => prompt);

/**
 * `demo:n` as n held-out stories of the demo task, JSON lines for {@link parseSnrExamples}; undefined for any other text.
 * A longer batch begins with the stories of a shorter one.
 */
export function demoLines(source: string, seed: number): string | undefined {
  const count = demoCount(source);
  if (count === undefined) return undefined;
  return heldOutExamples(seed, count, STORY)
    .map(({ prompt, target, candidates, needle, classes }) =>
      JSON.stringify({ prompt, target, candidates, needle, classes }),
    )
    .join('\n');
}
