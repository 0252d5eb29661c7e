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

/** Spans joined by commas, such as `0-27,55-75`; `none` says that there are none, where an example has some. */
export const parseAsSpans = createParser<readonly (readonly [number, number])[]>({
  parse: (text) => {
    if (text === 'none') return [];
    const spans = text.split(',').map((part) => parseAsPair.parse(part));
    return spans.length <= 100 && spans.every((span) => span !== null && span[0] < span[1])
      ? (spans as [number, number][])
      : null;
  },
  serialize: (spans) => spans.map((span) => parseAsPair.serialize(span)).join() || 'none',
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
