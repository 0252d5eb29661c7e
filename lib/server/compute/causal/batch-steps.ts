import { setImmediate as turn } from 'node:timers/promises';
import type { AnalysisJob, AnalysisUpdate } from '../../protocol';
import { Forecast } from '../runs/estimate';

/** Ends a batch that somebody has cancelled. */
export const STOPPED = new Error('The batch was cancelled.');

/** How far a batch has come: first its examples are read, then models run. */
export class BatchSteps {
  #done = 0;
  #forecast: Forecast;

  /**
   * @param reading steps that only read
   * @param total all steps
   * @param cancel ≠ 0 once somebody has cancelled
   */
  constructor(
    private readonly reading: number,
    private total: number,
    private readonly cancel: AnalysisJob['cancel'],
    private readonly tell: (update: AnalysisUpdate) => void,
  ) {
    this.#forecast = new Forecast(total - reading);
  }

  get done(): number {
    return this.#done;
  }

  /** Steps that only the reading of the examples has shown. */
  add(steps: number): void {
    this.total += steps;
  }

  /** Tells of it, and lets other requests go first. @throws STOPPED where the batch is cancelled before its last step */
  async to(done: number): Promise<void> {
    // Reading takes a small part of the time: the forecast begins with the first forward pass.
    if (this.#done >= this.reading) this.#forecast.add(done - this.#done);
    else if (done >= this.reading) this.#forecast = new Forecast(this.total - this.reading);
    this.#done = done;
    this.tell({ type: 'progress', progress: { done, total: this.total, secondsLeft: this.#forecast.secondsLeft } });
    await turn();
    if (done < this.total && Atomics.load(this.cancel, 0) !== 0) throw STOPPED;
  }
}
