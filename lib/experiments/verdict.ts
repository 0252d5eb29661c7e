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
  if (reference.low === null || reference.high === null) return undefined;
  const [low, high] = [reference.low, reference.high];
  const known = others.flatMap((one) => (one.low === null || one.high === null ? [] : [one as Known]));
  const groups = [
    [WORDS[of].above, known.filter((one) => one.low > high)],
    [WORDS[of].below, known.filter((one) => one.high < low)],
    [WORDS[of].same, known.filter((one) => one.low <= high && one.high >= low)],
  ] as const;
  const said = groups.flatMap(([words, arms]) =>
    arms.length === 0 ? [] : [`${words}: ${arms.map((arm) => `${arm.label} ${arm.mean.toFixed(digits)}`).join(', ')}`],
  );
  if (said.length === 0) return undefined;
  return `${measure}, against ${reference.label} (${reference.mean.toFixed(digits)}): ${said.join('; ')}.`;
}

type Known = Ranged & { readonly low: number; readonly high: number };

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

/** How often chance alone parts two arms of so many seeds each completely, in either direction: once in this many. */
export function onceIn(seeds: number): number {
  let ways = 1;
  for (let k = 1; k <= seeds; k++) ways = (ways * (seeds + k)) / k;
  return ways / 2;
}
