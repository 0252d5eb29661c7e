import { type HeldOut, lensOf, residualsOf, type Translator } from '@/lib/analysis';
import type { Model } from '@/lib/models';
import type { TunedLensReport } from './trainer';

/** Of the chunks, one in ten is held out, at most so many. */
const SHARE = 10;
const MOST = 64;

/** What a lens is fitted to, and what it is measured on: the last tenth of the chunks, nothing of fewer than ten. */
export function splitChunks<T>(chunks: readonly T[]): {
  readonly fitted: readonly T[];
  readonly heldOut: readonly T[];
} {
  const count = Math.min(MOST, Math.floor(chunks.length / SHARE));
  return { fitted: chunks.slice(0, chunks.length - count), heldOut: chunks.slice(chunks.length - count) };
}

/**
 * Mean KL(final ‖ lens) over the tokens of these chunks, for every translator and for the logit lens of the same layer.
 * Cost: a forward pass and (2 · blocks) unembeddings of every token.
 * @param reports of all steps, from which convergence is read
 */
export function measureHeldOut(
  model: Model,
  chunks: readonly (readonly number[])[],
  translators: readonly Translator[],
  reports: readonly TunedLensReport[],
): HeldOut {
  const tokens = chunks.reduce((sum, { length }) => sum + length, 0);
  const sums = translators.map(() => ({ kl: 0, logit: 0 }));
  for (const chunk of chunks) {
    const residuals = residualsOf(model, [chunk]);
    const divergence = (tuned?: readonly Translator[]) =>
      lensOf(model, residuals, { targets: [0], translators: tuned }).statistics.kl_final_lens;
    const [logit, tuned] = [divergence(), divergence(translators)];
    const sum = (values: Float64Array, entry: number) =>
      values.subarray(entry * chunk.length, (entry + 1) * chunk.length).reduce((total, value) => total + value, 0);
    sums.forEach((layer, k) => {
      layer.kl += sum(tuned, k);
      // The logit lens has an entry for the embedding first.
      layer.logit += sum(logit, k + 1);
    });
  }
  return {
    tokens,
    layers: sums.map(({ kl, logit }, k) => ({
      kl: kl / tokens,
      logit_lens_kl: logit / tokens,
      converged: isConverged(reports.map(({ losses }) => losses[k])),
    })),
  };
}

/** A loss still falls by so much from one tenth of the steps to the next where a fit has not converged. */
const STILL_FALLING = 0.05;
/** Losses this small may halve without anybody seeing it. */
const SMALL_NATS = 0.01;

/** Whether the mean loss of the last tenth of the steps is near that of the tenth before. */
export function isConverged(losses: readonly number[]): boolean {
  const window = Math.floor(losses.length / 10);
  if (window === 0) return false;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [before, last] = [mean(losses.slice(-2 * window, -window)), mean(losses.slice(-window))];
  return last >= (1 - STILL_FALLING) * before || last < SMALL_NATS;
}
