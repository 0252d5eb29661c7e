export interface Schedule {
  readonly peak: number;
  readonly floor: number;
  readonly warmupSteps: number;
  readonly steps: number;
}

/**
 * Learning rate of a 0-based step: linear warm-up from peak / warmupSteps to the peak, then half a cosine down to the
 * floor, which the last step reaches.
 */
export function learningRate({ peak, floor, warmupSteps, steps }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const span = Math.max(1, steps - 1 - warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / span);
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
