/** The closed world of the stories in background text, and how it is spoken of. */

export const PERSONS = ['Mary', 'John', 'Sandra', 'Daniel', 'Julie', 'Fred', 'Alice', 'Peter'] as const;

/** What stands for a person who was named before. */
export const PRONOUNS: Readonly<Record<(typeof PERSONS)[number], 'She' | 'He'>> = {
  Mary: 'She',
  John: 'He',
  Sandra: 'She',
  Daniel: 'He',
  Julie: 'She',
  Fred: 'He',
  Alice: 'She',
  Peter: 'He',
};

export const ROOMS = ['kitchen', 'garden', 'bathroom', 'bedroom', 'hallway', 'office', 'cellar', 'attic'] as const;

export const OBJECTS = ['apple', 'football', 'milk', 'book', 'key', 'lamp', 'letter', 'basket'] as const;

/** Say that a person is in another room from now on, or holds an object: one word each, and one more, `the`, follows. */
export const MOVES = ['entered', 'reached', 'visited'] as const;
export const TAKES = ['took', 'grabbed', 'found'] as const;

/**
 * Questions with what stands between the name and its answer, each a token or so longer than the one before: the first lies
 * inside the window of a convolution of four, the last far outside.
 */
export const CUES = [
  'Where is {}? Answer:',
  'Where is {} now? Answer:',
  'Where is {} now? The answer:',
  'Where is {} now? The answer is:',
  'Where is {} now? The short answer is:',
  'Where is {} now? In short, the answer is:',
  'Where is {} now? In one word, the answer is:',
  'Where is {} right now? In one word, the answer is:',
  'Where is {} right now? In just one word, the answer is:',
] as const;

/** What may be said of a doer, by its number of words. */
const MANNERS: readonly (readonly string[])[] = [
  ['then', 'soon', 'quickly', 'slowly', 'again'],
  ['at last', 'once more', 'in silence', 'without haste', 'all alone'],
  ['in a hurry', 'with a smile', 'without a word', 'after a while'],
  ['early in the morning', 'late in the evening', 'as quietly as possible', 'for the second time'],
  ['after a very long walk', 'in spite of the rain', 'as if it were nothing'],
  ['as soon as the sun rose', 'after a day of hard work', 'when nobody else was looking there'],
];

/** What may be said of a room or an object. */
export const QUALITIES = ['old', 'big', 'dark', 'cold', 'little', 'quiet', 'famous', 'green'] as const;

/** How every cue begins, and what asks for a person instead. */
export const WHERE = 'Where is';
export const WHO = 'Who has';

/** The most words that can be put between a person and what is said of them. */
export const MOST_MANNERS = 12;
export const MOST_QUALITIES = 4;
export const GAP_WORDS = MOST_MANNERS + MOST_QUALITIES;

/** The longest manner of at most so many words. */
export const mannersOf = (words: number): readonly string[] => MANNERS[words - 1];
export const LONGEST_MANNER = MANNERS.length;

/** Name the person of a fact again, at once or a little behind the room or object; one word follows. */
export const ECHOES = [' {} knew', ' that {} knew', ', as {} said', ', so {} answered'] as const;

/** Comes before the person of a move that names the room first. */
export const THERE = 'stood';

/** Comes before a room that is named again. */
export const STAYED = 'and stayed in the';
