/** A number of an arm with what it may be: the seeds' least and largest, or an interval. */
export interface Ranged {
  readonly label: string;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** What ranges are of, which decides what may be said where they meet. */
export type RangeOf = 'seeds' | 'intervals';

const WORDS = {
  seeds: {
    above: 'higher in every seed than in any of its seeds',
    below: 'lower in every seed than in any of its seeds',
    same: 'no difference beyond the spread of seeds',
  },
  intervals: {
    above: 'higher, intervals apart',
    below: 'lower, intervals apart',
    same: 'intervals meet, no difference that these examples show',
  },
} as const;

const SIDES = ['above', 'below', 'same'] as const;

/** Where an arm's whole range stands to another's; undefined where one of them is not known. */
function sideOf(one: Ranged, reference: Ranged): (typeof SIDES)[number] | undefined {
  if (one.low === null || one.high === null || reference.low === null || reference.high === null) return undefined;
  if (one.low > reference.high) return 'above';
  return one.high < reference.low ? 'below' : 'same';
}

/**
 * What ranges say of arms against one of them, in a sentence; arms without a range say nothing.
 * @param measure what was measured, as it stands in a sentence
 * @returns undefined where there is nothing to compare
 */
export function verdict(
  measure: string,
  reference: Ranged,
  others: readonly Ranged[],
  of: RangeOf,
  digits = 3,
): string | undefined {
  const said = SIDES.flatMap((side) => {
    const arms = others.filter((one) => sideOf(one, reference) === side);
    const named = arms.map((arm) => `${arm.label} ${arm.mean.toFixed(digits)}`).join(', ');
    return arms.length === 0 ? [] : [`${WORDS[of][side]}: ${named}`];
  });
  if (said.length === 0) return undefined;
  return `${measure}, against ${reference.label} (${reference.mean.toFixed(digits)}): ${said.join('; ')}.`;
}

/** Every arm against the one that it is compared with; one sentence for each of these. @param against place of that in the list */
export function verdicts(
  measure: string,
  arms: readonly (Ranged | null | undefined)[],
  against: readonly number[],
  of: RangeOf,
  digits?: number,
): string[] {
  return [...new Set(against)].flatMap((at) => {
    const reference = arms[at];
    const others = arms.flatMap((arm, k) => (arm && k !== at && against[k] === at ? [arm] : []));
    const said = reference && verdict(measure, reference, others, of, digits);
    return said ? [said] : [];
  });
}

/** A number of every arm, in their order. */
export interface RangedMeasure {
  readonly name: string;
  readonly digits?: number;
  readonly arms: readonly (Ranged | null | undefined)[];
}

/** Measures beyond which an arm gets one sentence over all of them in place of one each. */
const FEW = 4;

/** What intervals of several measures say: a sentence for each where they are few, else one for each arm. */
export function verdictsOver(measures: readonly RangedMeasure[], against: readonly number[]): string[] {
  if (measures.length <= FEW)
    return measures.flatMap(({ name, arms, digits }) => verdicts(name, arms, against, 'intervals', digits));
  return against.flatMap((at, k) => {
    if (at === k) return [];
    const known = measures.flatMap(({ name, arms }) => {
      const [one, reference] = [arms[k], arms[at]];
      const side = one && reference && sideOf(one, reference);
      return side ? [{ name, side, labels: [one.label, reference.label] }] : [];
    });
    if (known.length === 0) return [];
    const [label, reference] = known[0].labels;
    const parts = (['above', 'below'] as const).map((wanted) => {
      const names = known.filter(({ side }) => side === wanted).map(({ name }) => name);
      return `${WORDS.intervals[wanted]}, in ${names.length === 0 ? 'none' : `${names.length} (${names.join('; ')})`}`;
    });
    const same = known.filter(({ side }) => side === 'same').length;
    return [`${label} against ${reference}, of ${known.length} rows: ${parts.join('; ')}; in ${same} intervals meet.`];
  });
}

/** How often chance alone parts two arms of so many seeds each completely, in either direction: once in this many. */
export function onceIn(seeds: number): number {
  let ways = 1;
  for (let k = 1; k <= seeds; k++) ways = (ways * (seeds + k)) / k;
  return ways / 2;
}
