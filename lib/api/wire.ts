/** Lists with commas between what they hold, lists of lists with semicolons. */
const inUrl = (value: unknown): string =>
  Array.isArray(value) && value.some(Array.isArray) ? value.map(String).join(';') : String(value);

/** A question's parameters as a URL carries them. */
export const wireOf = (query: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, inUrl(value)]])),
  );
