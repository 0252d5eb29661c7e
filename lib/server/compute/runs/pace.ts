import { type Cost, scaled, UNITS, type Unit } from './costs';

/** What a stage took. */
export interface Observation {
  readonly cost: Cost;
  readonly seconds: number;
}

/** Observations of stages of one kind that are remembered, of runs and of probes. */
const KEPT = 12;

/** What an observation counts, per one of the same kind that came after it: a machine's load changes. */
const FADING = 0.8;

/** The same of probes, which come in order of their size: runs are larger still. */
const PROBES_FADING = 0.4;

/** What a probe counts beside a run: it is small, and only the beginning. */
const PROBED = 0.05;

/** A first guess of a plain processor, in seconds: shares of a run's work before the device has shown its own. */
const NOMINAL: Readonly<Record<Unit, number>> = {
  block: 5e-4,
  product: 2e-11,
  s6State: 2e-9,
  ssdState: 2e-10,
  map: 2e-4,
  s6Read: 2e-11,
  ssdRead: 2e-10,
  entry: 5e-4,
  unembedding: 2e-11,
  model: 1e-2,
  parameter: 2e-9,
  run: 2e-2,
};

type Rates = Readonly<Partial<Record<Unit, number>>>;

const unitsOf = (cost: Cost): Unit[] => UNITS.filter((unit) => cost[unit]);

const kindOf = (cost: Cost): string => unitsOf(cost).join();

const secondsOf = (cost: Cost, rates: Rates): number =>
  unitsOf(cost).reduce((total, unit) => total + (cost[unit] ?? 0) * (rates[unit] ?? 0), 0);

/**
 * How fast this device computes: seconds for each unit of work, none below zero, learned by least squares of relative
 * errors from a short probe at the start and from every stage of a run since.
 */
export class Pace {
  #probed: Observation[] = [];
  #seen = new Map<string, Observation[]>();
  #rates: Rates = {};

  /** @param probe of a probe, which counts little once runs have been seen */
  add(observation: Observation, probe = false): void {
    if (observation.seconds <= 0 || unitsOf(observation.cost).length === 0) return;
    if (probe) this.#probed.push(observation);
    else {
      const kind = kindOf(observation.cost);
      this.#seen.set(kind, [observation, ...(this.#seen.get(kind) ?? [])].slice(0, KEPT));
    }
    this.#rates = ratesOf(this.#weighed());
  }

  #weighed(): (Observation & { weight: number })[] {
    const seen = [...this.#seen.values()].flatMap((list) =>
      list.map((observation, age) => ({ ...observation, weight: FADING ** age })),
    );
    const later = (k: number) =>
      this.#probed.slice(k + 1).filter(({ cost }) => kindOf(cost) === kindOf(this.#probed[k].cost));
    return [
      ...seen,
      ...this.#probed.map((observation, k) => ({ ...observation, weight: PROBED * PROBES_FADING ** later(k).length })),
    ];
  }

  /**
   * Seconds that work will take; null where it has a stage that this device has not shown yet. What a run takes beside its
   * stages is hardly anything, and known after the first.
   */
  expect(cost: Cost): number | null {
    const known = unitsOf(cost).every((unit) => unit === 'run' || this.#rates[unit] !== undefined);
    return known ? secondsOf(cost, this.#rates) : null;
  }

  /** The same by what is known now, to be compared with other work only: what was not shown is as on a plain processor. */
  shares(): (cost: Cost) => number {
    const rates = { ...NOMINAL, ...this.#rates };
    return (cost) => secondsOf(cost, rates);
  }
}

/**
 * Least squares of Σ weight · (expected / seconds − 1)² with no rate below zero, unit by unit until nothing moves. Units
 * never met have no rate.
 */
function ratesOf(observations: readonly (Observation & { weight: number })[]): Rates {
  const rows = observations.map(({ cost, seconds, weight }) => ({ share: scaled(cost, 1 / seconds), weight }));
  const units = UNITS.filter((unit) => rows.some(({ share }) => share[unit]));
  const rates: Partial<Record<Unit, number>> = Object.fromEntries(units.map((unit) => [unit, 0]));
  const errors = rows.map(() => -1);
  for (let round = 0; round < ROUNDS; round++)
    for (const unit of units) {
      let [toward, curvature] = [0, 0];
      for (const [k, { share, weight }] of rows.entries()) {
        toward -= weight * errors[k] * (share[unit] ?? 0);
        curvature += weight * (share[unit] ?? 0) ** 2;
      }
      const before = rates[unit] ?? 0;
      const rate = Math.max(0, before + toward / curvature);
      rates[unit] = rate;
      for (const [k, { share }] of rows.entries()) errors[k] += (rate - before) * (share[unit] ?? 0);
    }
  return rates;
}

const ROUNDS = 300;
