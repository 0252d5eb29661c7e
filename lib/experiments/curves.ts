import { readMetrics, type TrainingMetrics } from '@/lib/training/metrics';
import type { Arm } from './plan';

/** A number over the seeds of an arm: their mean, and the least and the largest. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export interface CurveAt extends Spread {
  readonly step: number;
}

/** What the training of an arm looked like, from the metrics.jsonl of its runs. */
export interface ArmTraining {
  readonly arm: string;
  readonly label: string;
  readonly seeds: readonly number[];
  readonly parameters: number;
  /** Steps that the runs took. */
  readonly steps: Spread;
  /** By the clock. */
  readonly seconds: Spread;
  /** Of all threads; null of runs that an earlier version made. */
  readonly processor_seconds: Spread | null;
  /** Of the training rows: mean cross-entropy of all tokens, nats. */
  readonly loss: readonly CurveAt[];
  /** Of validation rows: share of answers that are right, by step and at the end. */
  readonly accuracy: readonly CurveAt[];
  /** Of validation rows: mean cross-entropy of all tokens, nats. */
  readonly validation: readonly CurveAt[];
  /** Mean λ over differential blocks. */
  readonly lambda: readonly CurveAt[];
  /** How many σ(·) have hardly a gradient, at the first and at the last logged step; none where no λ has one. */
  readonly saturation: readonly Saturation[];
  /** λ of each differential block at the end. */
  readonly lambda_by_block: readonly (Spread & { readonly block: number })[];
}

/** σ(·) of all differential blocks of all seeds. */
export interface Saturation {
  readonly step: number;
  /** Below {@link SATURATED} or above 1 less that; of vectors by their mean. */
  readonly saturated: number;
  readonly of: number;
}

/** Where the slope of σ is a fifth of what it is in the middle. */
export const SATURATED = 0.05;

export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: Math.min(...values), high: Math.max(...values), n: values.length };
}

/** Reads the metrics of all runs of an arm. */
export async function trainingOfArm({ name, label, runs }: Arm, parameters: number): Promise<ArmTraining> {
  const logs = await Promise.all(runs.map(({ folder }) => readMetrics(folder)));
  const last = logs.map((log) => log[log.length - 1]);
  const curve = (read: (metrics: TrainingMetrics) => number | null | undefined) => curveOf(logs, read);
  const blocks = last[0].lambda.map(({ block }) => block);
  return {
    arm: name,
    label,
    seeds: runs.map(({ seed }) => seed),
    parameters,
    steps: spreadOf(last.map(({ step }) => step)),
    seconds: spreadOf(last.map(({ time }) => time.seconds)),
    processor_seconds: last.every(({ time }) => time.processor_seconds !== undefined)
      ? spreadOf(last.map(({ time }) => time.processor_seconds))
      : null,
    loss: curve((metrics) => metrics.loss),
    accuracy: curve((metrics) => metrics.evaluation?.accuracy),
    validation: curve((metrics) => metrics.evaluation?.text),
    lambda: curve(({ lambda }) =>
      lambda.length > 0 ? lambda.reduce((sum, one) => sum + one.lambda, 0) / lambda.length : undefined,
    ),
    saturation: [0, -1].flatMap((at) => saturationOf(logs.map((log) => log.at(at) as TrainingMetrics))),
    lambda_by_block: blocks.map((block, k) => ({ block, ...spreadOf(last.map(({ lambda }) => lambda[k].lambda)) })),
  };
}

/** @param metrics of one step of every seed */
function saturationOf(metrics: readonly TrainingMetrics[]): Saturation[] {
  const sigmas = metrics.flatMap(({ lambda }) => lambda.flatMap(({ sigma }) => (sigma === undefined ? [] : [sigma])));
  if (sigmas.length === 0) return [];
  const saturated = sigmas.filter((sigma) => Math.min(sigma, 1 - sigma) < SATURATED).length;
  return [{ step: metrics[0].step, saturated, of: sigmas.length }];
}

/** Steps that every seed has measured. */
function curveOf(
  logs: readonly (readonly TrainingMetrics[])[],
  read: (metrics: TrainingMetrics) => number | null | undefined,
): CurveAt[] {
  const bySeed = logs.map(
    (log) =>
      new Map(
        log
          .flatMap((metrics) => [[metrics.step, read(metrics)] as const])
          .filter(([, value]) => typeof value === 'number'),
      ),
  );
  const steps = [...bySeed[0].keys()].filter((step) => bySeed.every((own) => own.has(step)));
  return steps.map((step) => ({ step, ...spreadOf(bySeed.map((own) => own.get(step) as number)) }));
}
