/** The closed world of the retrieval task: who, where, what, and how it is said. */

export const PERSONS = ['Mary', 'John', 'Sandra', 'Daniel', 'Julie', 'Fred'] as const;

export const ROOMS = ['kitchen', 'garden', 'bathroom', 'bedroom', 'hallway', 'office'] as const;

export const OBJECTS = ['apple', 'football', 'milk', 'book', 'key', 'lamp'] as const;

export type Person = (typeof PERSONS)[number];
export type Room = (typeof ROOMS)[number];
export type Thing = (typeof OBJECTS)[number];

/** `{P}` a person, `{R}` a room, `{O}` an object. */
export const TEMPLATES = {
  /** Says where a person is. */
  move: ['{P} entered the {R}.', '{P} reached the {R}.', '{P} visited the {R}.'],
  /** Says where an object is, and so where the person is. */
  placement: ['{P} left the {O} in the {R}.', '{P} put the {O} in the {R}.', '{P} dropped the {O} in the {R}.'],
  /** Names a person and an object but no place; the object's place is open afterwards. */
  pickup: ['{P} picked up the {O}.', '{P} took the {O}.', '{P} carried the {O} away.'],
  /** Bears on no question. */
  noise: [
    'It was a quiet day.',
    'The sun was warm.',
    'A bird sang outside.',
    'Rain fell on the roof.',
    'A dog barked at night.',
    'The clock struck nine.',
    'Nobody said a word.',
    'Somebody laughed out loud.',
    'The {R} was cold and dark.',
    'The {R} was clean.',
  ],
} as const;

export type SentenceKind = keyof typeof TEMPLATES;

export const QUESTIONS = { person: 'Where is {P}?', object: 'Where is the {O}?' } as const;

export type QuestionKind = keyof typeof QUESTIONS;

/** Ends every prompt; the next word is the answer. */
export const ANSWER_CUE = 'Answer:';
