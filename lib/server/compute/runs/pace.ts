import { type Cost, UNITS, type Unit } from './costs';

/** What a stage took. */
export interface Observation {
  readonly cost: Cost;
  readonly seconds: number;
}

/** Observations of stages of one kind that are remembered, of runs and of probes. */
const KEPT = 12;

/** What an observation counts, per one of the same kind that came after it: a machine's load changes. */
const FADING = 0.4;

/** The same of probes, which come in order of their size: runs are larger still. */
const PROBES_FADING = 0.4;

/** How far off, in natural logarithms: a stage of a run from the next like it; a small probe from a run. */
const RUN_SPREAD = 0.1;
const PROBE_SPREAD = 0.6;

/** The same of a device from a plain processor: in all its units alike, and of one unit beside the others. */
const DEVICE_SPREAD = 3;
const UNIT_SPREAD = 0.7;

/** Seconds on one thread of a plain processor: measured on runs of models of 130M to 370M parameters. */
const NOMINAL: Readonly<Record<Unit, number>> = {
  block: 5e-4,
  weight: 8e-10,
  product: 1.2e-11,
  s6State: 1e-9,
  ssdState: 1e-10,
  kept: 8e-10,
  map: 3e-4,
  s6Read: 6e-12,
  ssdRead: 3e-11,
  s6Check: 2.6e-9,
  ssdCheck: 8e-11,
  entry: 3e-4,
  unembedding: 2.4e-10,
  model: 1e-2,
  parameter: 4e-9,
  run: 6e-2,
};

const unitsOf = (cost: Cost): Unit[] => UNITS.filter((unit) => cost[unit]);

const kindOf = (cost: Cost): string => unitsOf(cost).join();

const secondsOf = (cost: Cost, rates: Readonly<Record<Unit, number>>): number =>
  unitsOf(cost).reduce((total, unit) => total + (cost[unit] ?? 0) * rates[unit], 0);

interface Weighed extends Observation {
  readonly weight: number;
}

/**
 * How fast this device computes: seconds for each unit of work, learned from a short probe at the start and from every stage
 * of a run since. What these leave open is as on a plain processor, times what this device is faster or slower by.
 */
export class Pace {
  #probed: Observation[] = [];
  #seen = new Map<string, Observation[]>();
  readonly #known = new Set<Unit>();
  /** Undefined where something was added since. */
  #rates: Readonly<Record<Unit, number>> | undefined = NOMINAL;

  /** @param probe of a probe, which counts little once runs have been seen */
  add(observation: Observation, probe = false): void {
    const units = unitsOf(observation.cost);
    if (observation.seconds <= 0 || units.length === 0) return;
    for (const unit of units) this.#known.add(unit);
    if (probe) this.#probed.push(observation);
    else {
      const kind = kindOf(observation.cost);
      this.#seen.set(kind, [observation, ...(this.#seen.get(kind) ?? [])].slice(0, KEPT));
    }
    this.#rates = undefined;
  }

  #weighed(): Weighed[] {
    const seen = [...this.#seen.values()].flatMap((list) =>
      list.map((observation, age) => ({ ...observation, weight: FADING ** age / RUN_SPREAD ** 2 })),
    );
    const later = (k: number) =>
      this.#probed.slice(k + 1).filter(({ cost }) => kindOf(cost) === kindOf(this.#probed[k].cost)).length;
    const probed = this.#probed.map((observation, k) => ({
      ...observation,
      weight: PROBES_FADING ** later(k) / PROBE_SPREAD ** 2,
    }));
    return [...seen, ...probed];
  }

  #ratesNow(): Readonly<Record<Unit, number>> {
    this.#rates ??= ratesOf(this.#weighed());
    return this.#rates;
  }

  /**
   * Seconds that work will take; null where it has a stage that this device has not shown yet. What a run takes beside its
   * stages is hardly anything, and known after the first.
   */
  expect(cost: Cost): number | null {
    const known = unitsOf(cost).every((unit) => unit === 'run' || this.#known.has(unit));
    return known ? secondsOf(cost, this.#ratesNow()) : null;
  }

  /** The same by what is known now, to be compared with other work only: what was not shown is as on a plain processor. */
  shares(): (cost: Cost) => number {
    const rates = this.#ratesNow();
    return (cost) => secondsOf(cost, rates);
  }
}

const ROUNDS = 200;

/** A change of a logarithm that no longer matters, and the largest of one round. */
const STILL = 1e-4;
const LARGEST_STEP = 1;

/**
 * The most probable rates, where logarithms of times are spread by the weights of their observations, and those of rates around
 * the nominal ones, all moved by the same: unit by unit until nothing moves.
 */
function ratesOf(observations: readonly Weighed[]): Readonly<Record<Unit, number>> {
  const rates: Record<Unit, number> = { ...NOMINAL };
  const moved = Object.fromEntries(UNITS.map((unit) => [unit, 0])) as Record<Unit, number>;
  const expected = observations.map(({ cost }) => secondsOf(cost, rates));
  let device = 0;
  for (let round = 0, largest = 1; round < ROUNDS && largest > STILL; round++) {
    largest = 0;
    for (const unit of UNITS) {
      let slope = (moved[unit] - device) / UNIT_SPREAD ** 2;
      let curvature = 1 / UNIT_SPREAD ** 2;
      for (const [k, { cost, seconds, weight }] of observations.entries()) {
        const share = ((cost[unit] ?? 0) * rates[unit]) / expected[k];
        slope += weight * share * Math.log(expected[k] / seconds);
        curvature += weight * share ** 2;
      }
      const step = Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, -slope / curvature));
      const rate = rates[unit] * Math.exp(step);
      for (const [k, { cost }] of observations.entries()) expected[k] += (cost[unit] ?? 0) * (rate - rates[unit]);
      rates[unit] = rate;
      moved[unit] += step;
      largest = Math.max(largest, Math.abs(step));
    }
    const total = UNITS.reduce((sum, unit) => sum + moved[unit], 0);
    device = total / (UNITS.length + (UNIT_SPREAD / DEVICE_SPREAD) ** 2);
  }
  return rates;
}
