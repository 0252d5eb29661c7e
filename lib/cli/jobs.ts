import { InputError } from '@/lib/input-error';
import { Bench, type ItemReport, itemsOn, JobEngine, placeOfEnvironment, type SweepStatus } from '@/lib/jobs';
import { projectRoot } from '@/lib/project-root';
import type { Io } from './io';
import type { DeviceOptions } from './session';

/** Opens the engine of jobs for a piece of work, and closes it after. */
export async function withEngine<T>(work: (engine: JobEngine) => Promise<T>): Promise<T> {
  const engine = await JobEngine.open(placeOfEnvironment(projectRoot()));
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

/** A device for jobs, and a signal that Ctrl-C or the end of a container gives: once ends after the current item. */
export async function withBench<T>(
  options: DeviceOptions,
  io: Io,
  work: (bench: Bench, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const bench = await Bench.open(options, projectRoot());
  io.err(`on ${bench.device.name} (${bench.device.description})\n`);
  const stop = new AbortController();
  const end = () => stop.abort();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.once(name, end);
  try {
    return await work(bench, stop.signal);
  } finally {
    for (const name of signals) process.removeListener(name, end);
    bench.close();
  }
}

/** A line an item, as workers write them. */
export const tell = (io: Io) => (report: ItemReport) => {
  const { sweep, item, kind, label, took, error } = report;
  io.err(`${sweep} ${item} ${kind}: ${label}, ${took} ms${error ? `: ${error}` : ''}\n`);
};

/** Works on a sweep with whoever else does, until it is over. @throws InputError where items failed, or it was ended before. */
export async function finishSweep(
  engine: JobEngine,
  id: string,
  bench: Bench,
  signal: AbortSignal,
  io: Io,
): Promise<SweepStatus> {
  let shown = -1;
  const status = await engine.finish(id, {
    on: itemsOn(bench),
    signal,
    onStatus: ({ done, items }) => {
      if (done === shown) return;
      shown = done;
      io.err(`${id}: ${done} of ${items} items\n`);
    },
  });
  const { done, failed, items, cancelled } = status;
  if (failed.length > 0)
    throw new InputError(
      `${failed.length} of ${items} items of sweep ${id} failed; ${failed[0].label}: ${failed[0].error} The same command with --retry tries them again.`,
    );
  if (cancelled)
    throw new InputError(
      `Sweep ${id} was cancelled at ${done} of ${items} items: the same command goes on from there.`,
    );
  if (done < items)
    throw new InputError(`Sweep ${id} was ended at ${done} of ${items} items: the same command goes on from there.`);
  return status;
}
