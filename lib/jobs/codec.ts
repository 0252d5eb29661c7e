/** JSON of results as they are: with arrays of float64, and with numbers that JSON does not know. */

const NOT_FINITE: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

type Tagged = { readonly $number: string } | { readonly $float64: readonly unknown[] };

export const encode = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'number' && !Number.isFinite(part)) return { $number: String(part) };
    return part instanceof Float64Array ? { $float64: [...part] } : part;
  });

export const decode = <T>(text: string): T =>
  JSON.parse(text, (_key, part: Partial<Tagged> | null) => {
    if (part === null || typeof part !== 'object') return part;
    if ('$number' in part) return NOT_FINITE[part.$number as string];
    return '$float64' in part ? Float64Array.from(part.$float64 as number[]) : part;
  });
