import { parentPort, workerData } from 'node:worker_threads';
import type { Sweep, SweepRequest, SweepStatus } from '@/lib/api/sweeps';
import { defaultRoots, findModels } from '@/lib/checkpoint';
import {
  JobEngine,
  type Sweep as Named,
  NoSuchSweep,
  type PromptSweep,
  requireSweep,
  type SweepStatus as Status,
  type SweptSource,
  stateOf,
  sweptModel,
  sweptSource,
} from '@/lib/jobs';
import { hasUnfinishedSweeps } from '@/lib/jobs/unfinished';
import { refusalOf } from '../compute/refusal';
import { ServiceError } from '../errors';
import { ItemThread } from './items';
import type { SweepsCall, SweepsMethod, SweepsMethods, SweepsReply, SweepsStart } from './protocol';

/** The thread that owns the server's part of the job engine: it answers at once, while another thread computes the items. */

const port = parentPort;
if (!port) throw new Error('This file runs as a thread of the server.');

const { place, weights } = workerData as SweepsStart;
const send = (reply: SweepsReply) => port.postMessage(reply);

let opened: Promise<JobEngine> | undefined;

/** The database opens with the first question, and is tried again by the next where that failed. */
function engine(): Promise<JobEngine> {
  opened ??= JobEngine.open(place).catch((error: Error) => {
    opened = undefined;
    throw new ServiceError(503, error.message);
  });
  return opened;
}

const end = new AbortController();
let items: ItemThread | undefined;
let working: Promise<void> | undefined;
let more = false;

/** Takes items until none waits and none is in work, of whoever's sweeps. */
function work(): void {
  more = true;
  working ??= toTheEnd()
    .catch((error) => console.error('Sweeps stand still until the next request for one:', error))
    .finally(() => {
      working = undefined;
    });
}

async function toTheEnd(): Promise<void> {
  const jobs = await engine();
  items ??= await ItemThread.open(place.root);
  while (more && !end.signal.aborted) {
    more = false;
    await jobs.work({ on: items, signal: end.signal, isEnough: async () => (await jobs.pending()) === 0 });
  }
}

/** A set of prompts as its lines. */
async function sourceOf(
  { name, examples }: SweepRequest['sources'][number],
  { seed }: SweepRequest,
): Promise<SweptSource> {
  const { lines } =
    typeof examples === 'string'
      ? await sweptSource(examples, seed)
      : { lines: examples.map((example) => JSON.stringify(example)) };
  return { name, lines };
}

/**
 * What is asked as workers need it: with the lines of the prompts, and what tells the models from others; checked as far as that goes
 * before an item is computed.
 * @throws ServiceError 404; InputError
 */
async function requestOf(asked: SweepRequest): Promise<PromptSweep> {
  const { kind, models, sources, ...rest } = asked;
  const listed = new Set((await findModels(defaultRoots(place.root))).map(({ name }) => name));
  const stranger = models.flat().find((name) => !listed.has(name));
  if (stranger !== undefined)
    throw new ServiceError(
      404,
      `There is no model "${stranger}" that workers can find: they look in models/, in STATESCOPE_MODELS and in the hub's cache.`,
    );
  const request = {
    models: await Promise.all(
      models.map((group) => Promise.all([group].flat().map((name) => sweptModel(name, place.root)))),
    ),
    sources: await Promise.all(sources.map((source) => sourceOf(source, asked))),
    weights,
    ...rest,
  };
  const sweep = { kind, request } as PromptSweep;
  await requireSweep(sweep, place.root);
  return sweep;
}

const statusOf = (status: Status): SweepStatus => {
  const { cancelled: _, failed, ...rest } = status;
  return { ...rest, failed: [...failed], state: stateOf(status) };
};

async function wholeOf(jobs: JobEngine, id: string): Promise<Sweep> {
  const status = statusOf(await jobs.status(id));
  const result = status.state === 'done' ? await jobs.summary((await jobs.sweep(id)) as Named) : null;
  return { ...status, workers: await jobs.workers(id), result: result as Sweep['result'] };
}

type Methods = {
  [M in SweepsMethod]: (argument: SweepsMethods[M]['argument']) => Promise<SweepsMethods[M]['result']>;
};

const methods: Methods = {
  async submit({ request, retry }) {
    const sweep = await requestOf(request);
    const jobs = await engine();
    const { id } = await jobs.submit(sweep.kind, sweep.request);
    if (retry) await jobs.retry(id);
    work();
    return statusOf(await jobs.status(id));
  },
  list: async () => (await (await engine()).list()).map(statusOf),
  get: async (id) => wholeOf(await engine(), id),
  async cancel(id) {
    const jobs = await engine();
    await jobs.cancel(id);
    return statusOf(await jobs.status(id));
  },
  async resume() {
    if (!(await hasUnfinishedSweeps(place))) return false;
    const left = (await (await engine()).resume()).length > 0;
    if (left) work();
    return left;
  },
  async isIdle() {
    return working === undefined;
  },
  async close() {
    end.abort();
    // Its item goes back to the others.
    await items?.close();
    await working;
    await (await opened)?.close();
    return null;
  },
};

port.on('message', async ({ call, method, argument }: SweepsCall) => {
  try {
    send({ kind: 'result', call, result: await methods[method](argument as never) });
  } catch (error) {
    const refusal = refusalOf(error);
    send({ kind: 'refusal', call, refusal: error instanceof NoSuchSweep ? { ...refusal, status: 404 } : refusal });
  }
});
