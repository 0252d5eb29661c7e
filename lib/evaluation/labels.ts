import { ROOMS as STORY_ROOMS } from '@/lib/data/story-words';

const ROOMS = ['bathroom', 'bedroom', 'garden', 'hallway', 'kitchen', 'office'] as const;
const YES_NO = ['no', 'yes'] as const;

/** What may be answered, by task of bAbI; the strict rule looks for these. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  qa1: ROOMS,
  qa2: ROOMS,
  qa3: ROOMS,
  qa4: ROOMS,
  qa5: ['Bill', 'Fred', 'Jeff', 'Mary', 'apple', 'football', 'milk'],
  qa6: YES_NO,
  qa7: ['none', 'one', 'three', 'two'],
  qa8: ['apple', 'football', 'milk', 'nothing'],
  qa9: YES_NO,
  qa10: ['maybe', ...YES_NO],
  qa11: ROOMS,
  qa12: ROOMS,
  qa13: ROOMS,
  qa14: ['bedroom', 'cinema', 'kitchen', 'office', 'park', 'school'],
  qa15: ['cat', 'mouse', 'sheep', 'wolf'],
  qa16: ['gray', 'green', 'white', 'yellow'],
  qa17: YES_NO,
  qa18: YES_NO,
  qa19: ['e,e', 'e,n', 'e,s', 'n,e', 'n,n', 'n,w', 's,e', 's,s', 's,w', 'w,n', 'w,s', 'w,w'],
  qa20: ['bedroom', 'bored', 'garden', 'hungry', 'kitchen', 'thirsty', 'tired'],
};

export const TASKS: readonly string[] = Object.keys(LABELS);

/** What stories are asked at their end. */
export const STORY_TASKS: readonly string[] = ['one-hop', 'two-hop'];

/** Undefined where there is no such task. */
export const labelsOf = (task: string): readonly string[] | undefined =>
  STORY_TASKS.includes(task) ? STORY_ROOMS : LABELS[task];
