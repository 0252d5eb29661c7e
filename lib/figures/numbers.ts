import { LEAST_P } from '@/lib/vocabulary';

/**
 * How numbers are written on the page: three significant digits, scientific below 0.001, a true minus sign,
 * `–` for what does not exist. Nothing here ever prints "0.000" or "< 0.001".
 */

const MINUS = '−';
const THIN_SPACE = '\u2009';
const ABSENT = '–';

export type Maybe = number | null | undefined;

const present = (value: Maybe): value is number => value !== null && value !== undefined && !Number.isNaN(value);

/** 12187 → `12 187` (thin space). Absent: `–`. */
export function formatCount(value: Maybe): string {
  if (!present(value)) return ABSENT;
  const digits = Math.round(Math.abs(value))
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
  return value < 0 ? MINUS + digits : digits;
}

const scientific = (value: number, digits: number) =>
  value.toExponential(digits).replace('e+', 'e').replace('-', MINUS);

function magnitude(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (value === 0) return '0';
  if (value < 0.001 || value >= 1e6) return scientific(value, 2);
  if (value >= 999.5) return formatCount(value);
  return value.toPrecision(3);
}

/** A quantity without a sign of its own (probabilities, shares, errors): `0.331`, `3.20e−7`, `1 − 7.9e−5`. */
export function formatPlain(value: Maybe): string {
  if (!present(value)) return ABSENT;
  if (value < 1 && value >= 0.9995) return `1 ${MINUS} ${scientific(1 - value, 1)}`;
  return (value < 0 ? MINUS : '') + magnitude(Math.abs(value));
}

/** A signed quantity always carries its sign: `+0.740`, `−2.10e−5`; an exact zero is `0`. */
export function formatSigned(value: Maybe): string {
  if (!present(value)) return ABSENT;
  if (value === 0) return '0';
  return (value < 0 ? MINUS : '+') + magnitude(Math.abs(value));
}

/** `formatSigned` or `formatPlain`, as the quantity asks. */
export const formatValue = (value: Maybe, signed: boolean): string =>
  signed ? formatSigned(value) : formatPlain(value);

/** 55.13 → `55.1×`. */
export function formatRatio(value: Maybe): string {
  if (!present(value) || !Number.isFinite(value)) return ABSENT;
  return `${(value < 0 ? MINUS : '') + magnitude(Math.abs(value))}×`;
}

/** The p-value of a bootstrap: where no resample contradicts, only a bound is known. */
export const formatP = (p: Maybe): string =>
  present(p) && p <= LEAST_P * (1 + 1e-9) ? `≤ ${Number(LEAST_P.toPrecision(1))}` : formatPlain(p);

/** 2 → `2nd`. */
export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}

/** Bytes of memory or disk: `14 kB`, `1.9 MB`, `2.10 GB`. */
export function formatBytes(bytes: number): string {
  const MB = 1024 * 1024;
  if (bytes === 0) return ABSENT;
  if (bytes >= 1024 * MB) return `${(bytes / 1024 / MB).toFixed(2)} GB`;
  return bytes >= MB ? `${(bytes / MB).toFixed(1)} MB` : `${Math.ceil(bytes / 1024)} kB`;
}

/** 376_000_000 → `376 M`, 812_000 → `812 k`: the size of a model. */
export function formatParameters(count: number): string {
  const [value, unit] =
    count >= 999.5e6 ? [count / 1e9, 'B'] : count >= 999.5e3 ? [count / 1e6, 'M'] : [count / 1e3, 'k'];
  return `${value >= 99.95 ? Math.round(value) : value.toPrecision(3)}${THIN_SPACE}${unit}`;
}

/** A number on an axis: plain, with a true minus. */
export const formatTick = (value: number): string => String(value).replace('-', MINUS);

/** The two parts of a decade label, 10 and its exponent; 1 and 0.1 are written in full. */
export function decadeLabel(exponent: number): { text: string; exponent?: string } {
  if (exponent === 0) return { text: '1' };
  if (exponent === -1) return { text: '0.1' };
  return { text: '10', exponent: formatTick(exponent) };
}
