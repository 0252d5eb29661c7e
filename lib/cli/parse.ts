import { InputError } from '@/lib/checkpoint';

const LARGEST_COUNT = 2 ** 31 - 1;

/** A parser of an option that takes a whole number of at least `least`. */
export const wholeNumber = (option: string, least: number) => (text: string) => {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text.trim()) && value >= least && value <= LARGEST_COUNT) return value;
  throw new InputError(`${option} takes a whole number of at least ${least}, not "${text}".`);
};

/** A parser of an option that takes a number above zero. */
export const positiveNumber = (option: string) => (text: string) => {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new InputError(`${option} takes a number above 0, not "${text}".`);
};

/** A comma list, trimmed, without empty parts. */
export const words = (option: string) => (text: string) => {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.every((part) => part !== '')) return parts;
  throw new InputError(`${option} takes a list separated by commas, without empty parts, not "${text}".`);
};

/** A comma list of whole numbers from 0. */
export const indices = (option: string) => (text: string) => words(option)(text).map(wholeNumber(option, 0));

/** A comma list of words out of `allowed`. */
export const choices =
  <T extends string>(option: string, allowed: readonly T[]) =>
  (text: string): T[] =>
    words(option)(text).map((word) => {
      const found = allowed.find((each) => each === word);
      if (found) return found;
      throw new InputError(`${option} takes ${allowed.join(', ')}, not "${word}".`);
    });
