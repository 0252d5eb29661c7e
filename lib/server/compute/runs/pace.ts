/** What a run took: steps (blocks and lens entries), work in floating-point operations up to a factor, seconds. */
export interface Observation {
  readonly steps: number;
  readonly work: number;
  readonly seconds: number;
}

/** Runs that are remembered. */
const KEPT = 16;

/**
 * How fast this device computes, learned from the runs that it has finished: a time for every step and a time for every
 * operation, by least squares of the relative errors with neither below zero. Short runs cost their steps, long ones their
 * work.
 */
export class Pace {
  #seen: Observation[] = [];

  add(observation: Observation): void {
    if (observation.seconds > 0) this.#seen = [...this.#seen, observation].slice(-KEPT);
  }

  /** Seconds that a run will take; null before one has been seen. */
  expect({ steps, work }: Omit<Observation, 'seconds'>): number | null {
    if (this.#seen.length === 0) return null;
    const [perStep, perWork] = paceOf(this.#seen);
    return steps * perStep + work * perWork;
  }
}

function paceOf(seen: readonly Observation[]): readonly [perStep: number, perWork: number] {
  let [ss, sw, ww, s, w] = [0, 0, 0, 0, 0];
  for (const { steps, work, seconds } of seen) {
    const [x, y] = [steps / seconds, work / seconds];
    ss += x * x;
    sw += x * y;
    ww += y * y;
    s += x;
    w += y;
  }
  const determinant = ss * ww - sw * sw;
  const both = [(s * ww - w * sw) / determinant, (w * ss - s * sw) / determinant] as const;
  // Runs of one size cannot tell the two apart.
  if (determinant > 1e-6 * ss * ww && both[0] >= 0 && both[1] >= 0) return both;
  const alone = [
    [s / ss, 0],
    [0, w / ww],
  ] as const;
  const error = ([perStep, perWork]: readonly [number, number]) =>
    seen.reduce((sum, { steps, work, seconds }) => sum + ((steps * perStep + work * perWork) / seconds - 1) ** 2, 0);
  // A size that was never met is judged by its work, unless steps explain what was seen clearly better.
  return error(alone[0]) < 0.5 * error(alone[1]) ? alone[0] : alone[1];
}
