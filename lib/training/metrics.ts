import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evaluation } from './evaluate';
import type { LambdaReport } from './lambda';
import type { StepReport } from './trainer';

/** A line of metrics.jsonl. All but `time` is the same however often a run was broken off. */
export interface TrainingMetrics extends StepReport {
  /** Steps of the whole run, at most. */
  readonly steps: number;
  /** λ of every differential block after the step. */
  readonly lambda: readonly LambdaReport[];
  /** Where it was measured. */
  readonly evaluation?: Evaluation;
  /** What ended the stage with this step. */
  readonly stage_end?: 'steps' | 'accuracy';
  readonly time: {
    /** Computing time since the first step, pauses between resumed calls left out. */
    readonly seconds: number;
    /** What all threads of the process took of processors in that time: on a busy machine less than the clock says. */
    readonly processor_seconds: number;
    readonly tokens_per_second: number;
    /** Share of this call's time in which steps waited for their rows. */
    readonly waiting: number;
    /** Share of it that evaluations on validation rows took. */
    readonly evaluating: number;
    /** Seconds to the end, where no stage ends before its limit. */
    readonly left: number;
  };
}

/** Of a run's folder: a line of JSON a logged step. */
export const METRICS = 'metrics.jsonl';

/** What a run has logged so far. What follows the last line break is being written, or was cut short when the run was killed. */
export async function readMetrics(folder: string): Promise<TrainingMetrics[]> {
  const lines = (await readFile(join(folder, METRICS), 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as TrainingMetrics);
}
