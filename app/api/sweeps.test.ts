import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createClient } from '@/lib/api/client';
import type { Sweep } from '@/lib/api/sweeps';
import { type Process, Workshop } from '@/lib/jobs/testing/workshop';
import { missingPostgres, Postgres } from '@/scripts/lib/postgres.mjs';

// Processes start many times here, which takes minutes where others use the machine too.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const ITEMS = 50;
const asked = {
  kind: 'snr' as const,
  models: ['plain'],
  sources: [{ name: 'stories', examples: `demo:${ITEMS}` }],
  metrics: ['margin' as const],
  resamples: 50,
};

let workshop: Workshop;
/** What a server that nobody disturbs finds, on the embedded database. */
let alone: string;

/** Summaries are long, and equal or not. */
const digest = ({ result }: Sweep) => createHash('sha256').update(JSON.stringify(result)).digest('hex');

async function serve(env: Readonly<Record<string, string>>) {
  const server = workshop.startBundle('host', [], env);
  await server.says(/listening on/);
  const baseUrl = /listening on (\S+)/.exec(server.output.err)?.[1] as string;
  return { server, client: createClient({ baseUrl }) };
}

type Served = Awaited<ReturnType<typeof serve>>;

async function reaches({ client }: Served, id: string, done: number): Promise<Sweep> {
  for (;;) {
    const sweep = await client.sweep(id);
    expect(sweep.failed).toEqual([]);
    if (sweep.done >= done) return sweep;
    await sleep(100);
  }
}

async function killed(server: Process): Promise<void> {
  server.child.kill('SIGKILL');
  await server.ended;
}

async function ended(server: Process): Promise<void> {
  server.child.kill('SIGTERM');
  expect(await server.ended, server.output.err).toBe(0);
}

const counted = ({ workers }: Sweep) => workers.reduce((sum, { items }) => sum + items, 0);

beforeAll(async () => {
  workshop = await Workshop.make(asked.models, {
    host: 'app/api/testing/sweeps-host.ts',
    sweeps: 'lib/server/sweeps/thread.ts',
    items: 'lib/server/sweeps/items-thread.ts',
  });
  const served = await serve({ STATESCOPE_DATA: 'alone' });
  const { id } = await served.client.startSweep(asked);
  alone = digest(await reaches(served, id, ITEMS));
  await ended(served.server);
});
afterAll(() => workshop?.remove());

describe('sweeps of a server on the embedded database', () => {
  it('go on by themselves after kill −9: nothing is lost, nothing counts twice', async () => {
    const env = { STATESCOPE_DATA: 'killed' };
    const first = await serve(env);
    const { id } = await first.client.startSweep(asked);
    const before = await reaches(first, id, 5);
    await killed(first.server);
    expect(before.done).toBeLessThan(ITEMS);
    const second = await serve(env);
    const whole = await reaches(second, id, ITEMS);
    expect(counted(whole)).toBe(ITEMS);
    expect(whole.workers).toHaveLength(2);
    expect(digest(whole)).toBe(alone);
    await ended(second.server);
  });

  it('are cancelled with what they have, stay so after an orderly end, and go on when they are asked for again', async () => {
    const env = { STATESCOPE_DATA: 'cancelled' };
    const first = await serve(env);
    const { id } = await first.client.startSweep(asked);
    await reaches(first, id, 5);
    expect((await first.client.cancelSweep(id)).state).toBe('cancelled');
    await ended(first.server);
    const second = await serve(env);
    const { done } = await second.client.sweep(id);
    expect(done).toBeGreaterThanOrEqual(5);
    expect(done).toBeLessThan(ITEMS);
    await sleep(1000);
    expect(await second.client.sweep(id)).toMatchObject({ done, state: 'cancelled', active: 0, result: null });
    await second.client.startSweep(asked);
    expect(digest(await reaches(second, id, ITEMS))).toBe(alone);
    await ended(second.server);
  });
});

describe('causal tests over prompts', () => {
  const sources = [{ name: 'stories', examples: 'demo:3' }];
  const patch = { kind: 'patch' as const, models: ['plain'], sources, resamples: 50 };

  it('are sweeps, and what cannot be is refused before an item is computed', async () => {
    const served = await serve({ STATESCOPE_DATA: 'causal' });
    const { startSweep } = served.client;
    const refused = (status: number, message: RegExp) => ({ status, message: expect.stringMatching(message) });
    await expect(startSweep({ ...patch, models: ['nobody'] })).rejects.toMatchObject(refused(404, /no model "nobody"/));
    await expect(startSweep({ ...patch, point: 'hook_x' })).rejects.toMatchObject(refused(422, /no hook point hook_x/));
    await expect(startSweep({ ...patch, window: 99 })).rejects.toMatchObject(refused(422, /window of 99 layers/));
    await expect(startSweep({ ...patch, sources: [{ name: 'none', examples: [] }] })).rejects.toMatchObject({
      status: 400,
    });
    await expect(startSweep({ ...patch, colour: 'red' } as never)).rejects.toMatchObject(refused(400, /colour/));
    const bare = [{ name: 'bare', examples: [{ tokens: [1, 2, 3], target: 1, needle: [0, 1] as [number, number] }] }];
    await expect(startSweep({ ...patch, sources: bare })).rejects.toMatchObject(refused(422, /no corrupted prompt/));
    await expect(
      startSweep({ ...patch, kind: 'snr', sources: [{ name: 'no', examples: [{ prompt: 'a' }] }] } as never),
    ).rejects.toMatchObject(refused(422, /needs a target or an answer/));
    expect(await served.client.sweeps()).toEqual([]);
    const { id } = await startSweep(patch);
    const { result, kind } = await reaches(served, id, 3);
    expect(kind).toBe('patch');
    const [{ models }] = (result as { sources: { models: { cells: { class: string; effect: { n: number } }[] }[] }[] })
      .sources;
    const needle = models[0].cells.find((cell) => cell.class === 'needle');
    expect(needle?.effect.n).toBe(3);
    await ended(served.server);
  });
});

const lacking = missingPostgres();
if (lacking) console.warn(`Not run: sweeps of a server on PostgreSQL (needs ${lacking}).`);

describe.skipIf(lacking)(`sweeps of a server on PostgreSQL${lacking ? ` (needs ${lacking})` : ''}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.create();
    await postgres.start();
  });
  afterAll(() => postgres?.remove());

  it('are shared with workers, which go on when kill −9 has ended the server; it goes on after a restart', async () => {
    const env = { DATABASE_URL: await postgres.database('served'), STATESCOPE_DATA: 'shared' };
    const first = await serve(env);
    const { id } = await first.client.startSweep(asked);
    await reaches(first, id, 5);
    await killed(first.server);
    const held = await postgres.query("SELECT id FROM pgboss.job WHERE state = 'active'", 'served');
    const worker = workshop.start(['worker'], env);
    await worker.says('example');
    const second = await serve(env);
    const whole = await reaches(second, id, ITEMS);
    expect(counted(whole)).toBe(ITEMS);
    expect(whole.workers.length).toBeGreaterThanOrEqual(2);
    expect(digest(whole)).toBe(alone);
    // What the killed server had in hand was done by others after its lease.
    const rows = await postgres.query('SELECT item FROM sweep_results ORDER BY item', 'served');
    expect(rows.map(({ item }) => item)).toEqual(Array.from({ length: ITEMS }, (_, item) => item));
    expect(held.length).toBeLessThanOrEqual(32);
    worker.child.kill('SIGTERM');
    expect(await worker.ended, worker.output.err).toBe(0);
    await ended(second.server);
  });
});
