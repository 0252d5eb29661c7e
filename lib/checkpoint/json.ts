/** Reading of config files, which Python writes with numbers that JSON does not have. */

import { InputError } from './types';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Text without the byte-order mark that Windows programs write, and JSON does not have. */
export const withoutMark = (text: string): string => (text.startsWith('\uFEFF') ? text.slice(1) : text);

/** Strings are matched so that an "Infinity" inside one is left alone. */
const NON_FINITE = /"(?:[^"\\]+|\\.)*"|-?Infinity|\bNaN\b/g;

const quoted = (token: string) => (token.startsWith('"') ? token : `{"__float__":"${token}"}`);

/**
 * Parses a JSON object, also one with bare `Infinity`, `-Infinity` or `NaN` (they become the
 * `{"__float__": "Infinity"}` of newer Hugging Face files; `toNumber` reads them).
 * @throws InputError naming the file where it is not JSON or not an object
 */
export function parseJsonObject(file: string, label: string): JsonObject {
  const text = withoutMark(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    try {
      value = JSON.parse(text.replace(NON_FINITE, quoted));
    } catch (cause) {
      throw new InputError(`${label} is not valid JSON (${(cause as Error).message}); check or replace the file.`);
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`${label} must hold a JSON object.`);
  }
  return value as JsonObject;
}

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** A number as config files write it: 0.1, "0.1", "inf", "-Infinity", {"__float__": "Infinity"}; otherwise undefined. */
export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && value !== null && '__float__' in value) return toNumber(value.__float__);
  if (typeof value !== 'string') return undefined;
  if (/^[+-]?inf(inity)?$/i.test(value)) {
    return value.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return DECIMAL.test(value) ? Number(value) : undefined;
}

/** Typed access to the fields of one config file; every complaint names the file and the field. */
export class Fields {
  constructor(
    private readonly values: JsonObject,
    readonly label: string,
  ) {}

  fail(field: string, needed: string): InputError {
    const value = this.values[field];
    const found = value === undefined ? 'it is missing' : `it is ${JSON.stringify(value)}`;
    return new InputError(`${this.label}: ${field} must be ${needed}; ${found}.`);
  }

  /** The raw value; null counts as missing, as it does for the Python classes. */
  raw(field: string): unknown {
    return this.values[field] ?? undefined;
  }

  /** A whole number ≥ 1. Without a default the field is required. */
  size(field: string, missing?: number): number {
    const value = this.raw(field);
    if (value === undefined && missing !== undefined) return missing;
    const size = toNumber(value);
    if (size === undefined || !Number.isSafeInteger(size) || size < 1) throw this.fail(field, 'a whole number ≥ 1');
    return size;
  }

  positive(field: string, missing: number): number {
    const value = this.raw(field);
    if (value === undefined) return missing;
    const number = toNumber(value);
    if (number === undefined || !Number.isFinite(number) || number <= 0) throw this.fail(field, 'a positive number');
    return number;
  }

  flag(field: string, missing: boolean): boolean {
    const value = this.raw(field);
    if (value === undefined) return missing;
    if (typeof value !== 'boolean') throw this.fail(field, 'true or false');
    return value;
  }

  text(field: string): string | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw this.fail(field, 'a text');
    return value;
  }

  /** The Δ clamp, 0 ≤ min ≤ max, min finite; default [0, ∞). */
  range(field: string): readonly [number, number] {
    const value = this.raw(field);
    if (value === undefined) return [0, Number.POSITIVE_INFINITY];
    const bounds = Array.isArray(value) ? value.map(toNumber) : [];
    const [low, high] = bounds;
    if (
      bounds.length !== 2 ||
      low === undefined ||
      high === undefined ||
      !(0 <= low && low < Infinity && low <= high)
    ) {
      throw this.fail(field, 'two numbers [min, max] with 0 ≤ min ≤ max, of which max may be infinite');
    }
    return [low, high];
  }

  /** Refuses every value but the ones that are supported (a missing field is fine). */
  only(field: string, allowed: readonly unknown[], meaning: string): void {
    const value = this.raw(field);
    if (value === undefined || allowed.includes(value)) return;
    throw new InputError(`${this.label}: ${field} ${JSON.stringify(value)} is not supported: ${meaning}.`);
  }
}
