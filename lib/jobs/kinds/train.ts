import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Lock, lockFolder } from '@/lib/server/archive/lock';
import { parseTrainingConfig, type TrainResult, trainFromConfig } from '@/lib/training';
import { type SweepKind, Withdrawn } from '../kind';

const schema = z
  .object({
    runs: z
      .array(
        z
          .object({
            name: z.string().min(1),
            /** Where the checkpoint goes: a folder that all workers reach. */
            folder: z.string().min(1),
            /** What `statescope train` reads. */
            config: z.record(z.string(), z.unknown()),
            /** Of the checkpoint that it begins with: another one is another run. */
            from: z.string().optional(),
          })
          .strict(),
      )
      .min(1),
  })
  .strict();
type Request = z.infer<typeof schema>;

type Result = Omit<TrainResult, 'folder' | 'finished'>;

const LOOK_MS = 2000;

/** Training runs: an item is a whole run, which goes on from its last checkpoint when its worker has died. */
export const trainKind: SweepKind<Request, Result> = {
  name: 'train',
  schema,
  items: ({ runs }) => runs.length,
  label: ({ runs }, item) => runs[item].name,
  async run({ runs }, item, _bench, signal) {
    const { folder, config } = runs[item];
    parseTrainingConfig(config);
    const lost = new AbortController();
    const lock = await locked(folder, () => lost.abort(), signal);
    try {
      const { finished, step, evaluation } = await trainFromConfig(config, folder, {
        resume: existsSync(join(folder, 'training.json')),
        signal: AbortSignal.any([lost.signal, ...(signal ? [signal] : [])]),
      });
      if (!finished) throw new Withdrawn(`The run in ${folder} was stopped at step ${step}.`);
      return { step, evaluation };
    } finally {
      lock.release();
    }
  },
  summarise: ({ runs }, results) => runs.map(({ name }, k) => ({ name, ...results[k] })),
};

/**
 * One process writes to the folder of a run. A worker whose lease is over may only have stood still: who has got its run waits until
 * it is gone, or gives no sign of life in the folder either.
 */
async function locked(folder: string, onLost: () => void, signal?: AbortSignal): Promise<Lock> {
  for (;;) {
    try {
      return await lockFolder(folder, onLost, undefined, console.warn);
    } catch (error) {
      if (!/is used by another/.test((error as Error).message)) throw error;
      if (signal?.aborted) throw new Withdrawn((error as Error).message);
      await sleep(LOOK_MS);
    }
  }
}
