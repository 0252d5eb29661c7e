import { createParser } from 'nuqs';
import type { Continuation } from '@/lib/api/schemas';
import type { MapWindow } from '../charts/window';

/** Two whole numbers joined by a dash, such as a span or a cell. */
export const parseAsPair = createParser<readonly [number, number]>({
  parse: (text) => {
    const match = /^(\d{1,7})-(\d{1,7})$/.exec(text);
    return match ? [Number(match[1]), Number(match[2])] : null;
  },
  serialize: ([a, b]) => `${a}-${b}`,
});

/** Rows and columns of a window: four whole numbers, such as `40-60-0-20`. */
export const parseAsWindow = createParser<MapWindow>({
  parse: (text) => {
    const match = /^(\d{1,7})-(\d{1,7})-(\d{1,7})-(\d{1,7})$/.exec(text);
    if (!match) return null;
    const [a, b, c, d] = match.slice(1).map(Number);
    return a < b && c < d ? { rows: [a, b], columns: [c, d] } : null;
  },
  serialize: ({ rows, columns }) => [...rows, ...columns].join('-'),
});

/** Where generated tokens begin, and their ids: whole numbers joined by dashes. */
export const parseAsContinuation = createParser<Continuation>({
  parse: (text) => {
    if (!/^\d{1,7}(-\d{1,7})*$/.test(text)) return null;
    const [start, ...ids] = text.split('-').map(Number);
    return { start, ids };
  },
  serialize: ({ start, ids }) => [start, ...ids].join('-'),
});
