export interface Schedule {
  readonly peak: number;
  readonly floor: number;
  readonly warmupSteps: number;
  readonly steps: number;
  /** A warm restart (Loshchilov & Hutter 2017): from this step on a second cosine, without warm-up. */
  readonly restart?: { readonly step: number; readonly peak: number };
}

/** Half a cosine from `peak` at step `from` down to `floor` at the last step before `to`. */
function cosine(peak: number, floor: number, from: number, to: number, step: number): number {
  const progress = Math.min(1, (step - from) / Math.max(1, to - 1 - from));
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/**
 * Learning rate of a 0-based step: linear warm-up from peak / warmupSteps to the peak, then half a cosine down to the
 * floor, which the last step reaches; after a restart the same again from its own peak.
 */
export function learningRate({ peak, floor, warmupSteps, steps, restart }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  if (restart && step >= restart.step) return cosine(restart.peak, floor, restart.step, steps, step);
  return cosine(peak, floor, warmupSteps, restart?.step ?? steps, step);
}
