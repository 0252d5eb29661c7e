import { describe, expect, it } from 'vitest';
import {
  decadeLabel,
  formatBytes,
  formatCount,
  formatP,
  formatParameters,
  formatPlain,
  formatRatio,
  formatSigned,
  ordinal,
} from './numbers';

describe('numbers on the page', () => {
  it('counts places and bytes', () => {
    expect([1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal)).toEqual([
      '1st',
      '2nd',
      '3rd',
      '4th',
      '11th',
      '12th',
      '13th',
      '21st',
      '112th',
    ]);
    expect([0, 100, 3.5 * 2 ** 20, 1.9 * 2 ** 30].map(formatBytes)).toEqual(['–', '1 kB', '3.5 MB', '1.90 GB']);
  });

  it('prints three significant digits, and scientific below 0.001', () => {
    expect(formatPlain(0.33149)).toBe('0.331');
    expect(formatPlain(3.2e-7)).toBe('3.20e−7');
    expect(formatPlain(0.00257)).toBe('0.00257');
    expect(formatPlain(12.345)).toBe('12.3');
    expect(formatPlain(1e-12)).toBe('1.00e−12');
    expect(formatPlain(12187)).toBe('12\u2009187');
  });

  it('tells what is almost 1 from 1, and a bound from a value', () => {
    expect([0.99992, 0.9996, 1 - 2 ** -24, 0.9994, 1].map(formatPlain)).toEqual([
      '1 − 8.0e−5',
      '1 − 4.0e−4',
      '1 − 6.0e−8',
      '0.999',
      '1.00',
    ]);
    expect(formatRatio(0.9998)).toBe('1.00×');
    expect([2 / 2001, 4 / 2001, 0.8, null].map(formatP)).toEqual(['≤ 0.001', '0.00200', '0.800', '–']);
  });

  it('prints an exact zero as 0 and an absent value as a dash', () => {
    expect(formatPlain(0)).toBe('0');
    expect(formatSigned(0)).toBe('0');
    for (const absent of [null, undefined, Number.NaN]) expect(formatPlain(absent)).toBe('–');
  });

  it('gives every signed quantity its sign, with a true minus', () => {
    expect(formatSigned(0.74)).toBe('+0.740');
    expect(formatSigned(-0.74)).toBe('−0.740');
    expect(formatSigned(-4.1e-5)).toBe('−4.10e−5');
  });

  it('never prints a value as a rounded zero', () => {
    for (let exponent = -1; exponent > -15; exponent--) expect(formatPlain(3 * 10 ** exponent)).not.toMatch(/^0\.0*$/);
  });

  it('prints counts, ratios and sizes', () => {
    expect(formatCount(9017)).toBe('9\u2009017');
    expect(formatCount(12)).toBe('12');
    expect(formatRatio(55.13)).toBe('55.1×');
    expect(formatRatio(Number.POSITIVE_INFINITY)).toBe('–');
    expect(formatParameters(376e6)).toBe('376\u2009M');
    expect(formatParameters(1.2e6)).toBe('1.20\u2009M');
    expect(formatParameters(812e3)).toBe('812\u2009k');
  });

  it('writes 1 and 0.1 in full on a decade axis', () => {
    expect(decadeLabel(0)).toEqual({ text: '1' });
    expect(decadeLabel(-1)).toEqual({ text: '0.1' });
    expect(decadeLabel(-6)).toEqual({ text: '10', exponent: '−6' });
  });
});
