import { createParser } from 'nuqs';

/** Two whole numbers joined by a dash, such as a span or a cell. */
export const parseAsPair = createParser<[number, number]>({
  parse: (text) => {
    const match = /^(\d{1,7})-(\d{1,7})$/.exec(text);
    return match ? [Number(match[1]), Number(match[2])] : null;
  },
  serialize: ([a, b]) => `${a}-${b}`,
  eq: (a, b) => a[0] === b[0] && a[1] === b[1],
});
