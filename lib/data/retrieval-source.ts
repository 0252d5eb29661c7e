import { z } from 'zod';
import { Random } from '@/lib/random';
import { retrievalExample, retrievalLesson, tokenSpan } from './retrieval';
import { type DataSource, type Row, SPLITS, type Split } from './source';
import { ANSWER_CUE } from './vocabulary';
import { retrievalVocabulary, tokenizerJson, wordTokenizer } from './word-tokenizer';

const count = z.int().min(1);

export const retrievalSourceSchema = z.strictObject({
  seed: z.int().default(0),
  /** Fewest and most sentences of a story. */
  sentences: z
    .tuple([count, count])
    .refine(([fewest, most]) => fewest <= most, 'the first number must not be above the second')
    .default([2, 7]),
  /** Questions a training story, at most; a held-out story has one. */
  questions: count.default(3),
});

/**
 * Stories of people who move and carry things. A training row asks several questions about its story, a held-out row one,
 * with the classes of its tokens; an answer's label is what was asked for, `person` or `object`.
 */
export function retrievalSource({ seed, sentences, questions }: z.infer<typeof retrievalSourceSchema>): DataSource {
  const words = retrievalVocabulary();
  const tokenizer = wordTokenizer(words);
  const cue = tokenizer.encode(ANSWER_CUE).at(-1);
  const article = words.indexOf('the');

  function lesson(random: Random): Row {
    const told = random.integer(...sentences);
    const tokens = Int32Array.from(
      tokenizer.encode(retrievalLesson(random, { sentences: told, questions, split: 'train' })),
    );
    const answers = [...tokens.keys()].filter((t) => t > 0 && tokens[t - 1] === cue);
    // "Where is the NAME ? Answer : ROOM" asks for an object, "Where is NAME ? …" for a person.
    const label = (t: number) => (tokens[t - 5] === article ? 'object' : 'person');
    return { tokens, answers: answers.map((t) => ({ start: t, end: t + 1, label: label(t) })) };
  }

  function heldOut(random: Random, split: Exclude<Split, 'train'>): Row {
    const example = retrievalExample(random, { sentences: random.integer(...sentences), split });
    const tokens = Int32Array.from(tokenizer.encode(`${example.prompt} ${example.target}`));
    const end = tokens.length;
    const spans = (found: readonly (readonly [number, number])[]) =>
      found.map((span) => tokenSpan(example.prompt, span));
    return {
      tokens,
      answers: [{ start: end - 1, end, label: example.question }],
      classes: {
        needle: spans([example.needle]),
        competing: spans(example.classes.competing),
        question: spans(example.classes.question),
      },
    };
  }

  return {
    card: {
      name: 'retrieval',
      source: 'generated: stories in the manner of bAbI, divided by a hash of their text',
      licence: 'none needed',
      sizes: {},
      sha256: null,
    },
    vocabularySize: words.length,
    tokenizer: tokenizerJson(words),
    row(split, index) {
      const random = Random.at(seed, SPLITS.indexOf(split), index);
      return split === 'train' ? lesson(random) : heldOut(random, split);
    },
  };
}
