import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { type Analysis, AnalysisRequestSchema, AnalysisSchema } from '@/lib/api/causal';
import { HealthSchema, RunListSchema, RunRequestSchema, RunSchema } from '@/lib/api/schemas';
import { missingPostgres, Postgres } from '@/scripts/lib/postgres.mjs';
import { isFinal } from '../book';
import type { ModelRecord } from '../compute/runs/record';
import { RunStore } from '../compute/runs/store';
import { ServiceError } from '../errors';
import { Service } from '../service';
import { databaseTemplate, migrationsFolder, type Settings } from '../settings';
import { makeWorkspace, PROMPT, request, type Workspace } from '../testing/workspace';
import { openStore } from './open';
import { modelFile } from './places';
import type { ArchiveStart } from './protocol';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
const services: Service[] = [];

beforeAll(async () => {
  workspace = await makeWorkspace();
  // Making a database takes seconds, copying it does not.
  await (await PGlite.create(databaseTemplate(workspace.settings))).close();
}, 120_000);
afterAll(async () => {
  for (const service of services) await service.close();
  await workspace.remove();
});

function open(overrides: Partial<Settings>): Service {
  const service = new Service({ ...workspace.settings, ...overrides });
  services.push(service);
  return service;
}

const until = async (test: () => boolean | Promise<boolean>) => {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20));
};

async function run(service: Service): Promise<string> {
  const { id } = await service.createRun(RunRequestSchema.parse(request()));
  await until(() => isFinal(service.runs.get(id)));
  return id;
}

const patch = AnalysisRequestSchema.parse({
  kind: 'patch',
  model: 'plain',
  clean: PROMPT,
  corrupted: PROMPT.replace('kitchen', 'office'),
  point: 'hook_out_proj',
  target: 'kitchen',
  foil: 'office',
});

const isKept = (service: Service, id: string) => service.runs.list().some((one) => one.id === id && one.kept);

/** How long something takes, whatever comes of it. */
async function timed<T>(promise: Promise<T>): Promise<{ ms: number; result?: T; error?: Error }> {
  const start = Date.now();
  return promise.then(
    (result) => ({ ms: Date.now() - start, result }),
    (error: Error) => ({ ms: Date.now() - start, error }),
  );
}

let log: MockInstance;
beforeEach(() => {
  log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  const said = log.mock.calls.flat().map(String).join('\n');
  log.mockRestore();
  expect(said).not.toMatch(/insert|select|params|Mary/i);
});

describe('a disk that', () => {
  it('is full keeps nobody from computing; what waits is kept once there is room, runs before their analyses', async () => {
    const folder = join(workspace.root, 'full');
    const service = open({ dataFolder: folder });
    await service.archive.call('open', null);
    const call = service.worker.call.bind(service.worker);
    let full = true;
    // The worker's own words for a write that the system refuses; see the test of the store below.
    vi.spyOn(service.worker, 'call').mockImplementation(((method: 'keep', argument: never) =>
      method === 'keep' && full
        ? Promise.reject(new ServiceError(507, 'the disk is full'))
        : call(method, argument)) as typeof call);
    const ids = [await run(service), await run(service)];
    const { id: analysis } = await service.createAnalysis(patch, ids[0]);
    await until(() => isFinal(service.analysis(analysis)));
    await until(() => service.health().archive.message !== undefined);
    expect(service.health().archive).toEqual({
      state: 'open',
      waiting: 3,
      message: 'Runs wait in memory to be kept: the disk is full. It is tried again.',
    });
    expect((await service.listRuns()).archive.message).toMatch(/disk is full/);
    expect(await service.archive.call('analysis', analysis)).toBeNull();
    full = false;
    // Whatever is removed may have made room.
    await service.forgetRun(ids[1]);
    await until(() => service.health().archive.message === undefined);
    expect(service.health().archive).toEqual({ state: 'open', waiting: 0 });
    expect(isKept(service, ids[0])).toBe(true);
    expect((await service.archive.call('analysis', analysis))?.analysis.id).toBe(analysis);
    expect((await service.listRuns()).runs.map(({ id }) => id)).toEqual([ids[0]]);
    await service.close();
  });

  it('refuses arrays is told in words, and those that wait leave memory last', async () => {
    const folder = await mkdtemp(join(workspace.root, 'refusing-'));
    const released: string[][] = [];
    const store = new RunStore(100, (ids) => released.push(ids), folder);
    const record = (id: string) =>
      store.begin(id, 40).push({ L: 10, residuals: [new Float32Array(10)], blocks: [] } as unknown as ModelRecord);
    for (const id of ['waits', 'kept']) {
      record(id);
      store.end(id);
    }
    // A file where the folder of the run belongs.
    await mkdir(join(folder, 'runs'));
    await writeFile(join(folder, 'runs', 'waits'), '');
    await expect(store.keep('waits', 1000)).rejects.toMatchObject({
      status: 507,
      message: expect.stringMatching(/EEXIST/),
    });
    expect(await store.keep('kept', 1000)).toBe(40);
    // Its second model cannot be written: the first does not stay alone.
    record('half');
    record('half');
    store.end('half');
    await mkdir(join(modelFile(folder, 'half', 1), 'in the way'), { recursive: true });
    await expect(store.keep('half', 1000)).rejects.toMatchObject({ status: 507 });
    expect(existsSync(modelFile(folder, 'half', 0))).toBe(false);
    store.forget('half');
    record('third');
    expect(released).toEqual([['kept']]);
    store.end('third');
    record('fourth');
    expect(released).toEqual([['kept'], ['waits']]);
  });
});

/** What a server is given to open the store of a folder. */
const startOf = (folder: string): ArchiveStart => ({
  folder,
  limit: 1e9,
  instance: randomUUID(),
  migrations: migrationsFolder(workspace.settings),
  template: databaseTemplate(workspace.settings),
});

describe('work that a dead server left', () => {
  it('is listed as interrupted with its question, and can be asked for again', async () => {
    const folder = join(workspace.root, 'killed');
    const service = open({ dataFolder: folder });
    const whole = structuredClone(service.run(await run(service)));
    await until(() => isKept(service, whole.id));
    await service.close();

    const dead = await openStore(startOf(folder));
    const timing = { ...whole.timing, finishedAt: null };
    const left = { ...whole, id: '0000dead', state: 'running' as const, available: true, timing };
    await dead.interruptions.accept({ kind: 'run', record: left });
    // It died between the row of a run that had ended and the word that it was under way no more.
    await dead.archive.put({ ...whole, timing: { ...whole.timing, finishedAt: Date.now() + 1e6 } }, 10);
    await dead.interruptions.accept({ kind: 'run', record: { ...whole, state: 'running' } });
    const analysis: Analysis = {
      id: '0000beef',
      state: 'queued',
      request: patch,
      run: whole.id,
      queuePosition: 1,
      progress: null,
      budget: { rows: 1, bytes: 1 },
      result: null,
      device: null,
      timing: { createdAt: 1, startedAt: null, finishedAt: null },
    };
    await dead.interruptions.accept({ kind: 'analysis', record: analysis });
    await dead.archive.close();

    const next = open({ dataFolder: folder });
    await next.archive.call('open', null);
    const { runs } = await next.listRuns();
    expect(runs.map(({ id, state }) => [id, state]).sort()).toEqual(
      [
        ['0000dead', 'interrupted'],
        [whole.id, 'done'],
      ].sort(),
    );
    expect(RunSchema.parse(await next.recall('0000dead'))).toMatchObject({
      state: 'interrupted',
      request: whole.request,
      available: false,
      error: expect.stringMatching(/ended before/),
    });
    await expect(next.read('0000dead', 'map', { layer: 0 })).rejects.toMatchObject({ status: 409 });
    expect(AnalysisSchema.parse(await next.recallAnalysis('0000beef'))).toMatchObject({ state: 'interrupted' });
    await expect(async () => next.analysisTensors('0000beef')).rejects.toMatchObject({ status: 409 });
    expect((await next.createRun((await next.recall('0000dead')).request)).state).toMatch(/queued|running/);
    await next.forgetRun('0000dead');
    await expect(next.recall('0000dead')).rejects.toMatchObject({ status: 404 });
    await next.close();
  });

  it('is not what the server itself still computes, however often the store is opened', async () => {
    const folder = join(workspace.root, 'alive');
    const service = open({ dataFolder: null });
    const record = { ...structuredClone(service.run(await run(service))), state: 'running' as const };
    const start = startOf(folder);
    const first = await openStore(start);
    await first.interruptions.accept({ kind: 'run', record });
    await first.archive.close();
    const { archive } = await openStore(start);
    expect(await archive.list()).toEqual([]);
    await archive.close();
  });
});

describe.skipIf(missingPostgres())('a PostgreSQL server that', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.create();
    await postgres.start();
  }, 120_000);
  afterAll(() => postgres?.remove());

  it('is down at the start is opened once it comes, and what was computed meanwhile is kept', async () => {
    const databaseUrl = await postgres.database('late');
    await postgres.stop();
    const service = open({ dataFolder: join(workspace.root, 'late'), databaseUrl });
    await service.listRuns();
    await until(() => service.archive.status.state === 'failed');
    const id = await run(service);
    const { id: analysis } = await service.createAnalysis(patch, id);
    await until(() => isFinal(service.analysis(analysis)));
    const list = RunListSchema.parse(await service.listRuns());
    expect(list.runs).toMatchObject([{ id, state: 'done', kept: false }]);
    expect(list.archive).toMatchObject({ state: 'failed', waiting: 2, message: expect.stringMatching(/refused/) });
    expect(HealthSchema.parse(service.health()).archive).toMatchObject({ state: 'failed', waiting: 2 });
    await postgres.start();
    await until(() => service.health().archive.waiting === 0);
    expect(service.health().archive).toEqual({ state: 'open', waiting: 0 });
    expect(isKept(service, id)).toBe(true);
    expect((await service.archive.call('get', id))?.run.analyses).toMatchObject([{ id: analysis }]);
    await service.close();
  }, 120_000);

  it('stops in use leaves runs in memory listed, changes nothing half-way, and is found again', async () => {
    const folder = join(workspace.root, 'stopped');
    const service = open({ dataFolder: folder, databaseUrl: await postgres.database('stopped') });
    const before = await run(service);
    await until(() => isKept(service, before));
    await service.renameRun(before, 'first');
    await postgres.stop();

    const id = await run(service);
    await until(() => service.archive.status.state === 'failed');
    const { runs, archive } = await service.listRuns();
    expect(runs.map((one) => [one.id, one.kept])).toEqual([
      [id, false],
      [before, true],
    ]);
    expect(archive.message).toMatch(/database at DATABASE_URL .*(refused|broke|stopping).* tried again\.$/);
    await expect(service.recall('abcdef01')).rejects.toMatchObject({ status: 503 });
    await expect(service.renameRun(before, 'second')).rejects.toMatchObject({ status: 503 });
    await expect(service.forgetRun(before)).rejects.toMatchObject({ status: 503 });
    expect(service.run(before).name).toBe('first');
    await service.renameRun(id, 'named while it was away');
    const removed = await run(service);
    await service.forgetRun(removed);

    await postgres.start();
    await until(() => isKept(service, id));
    expect((await service.archive.call('get', id))?.run.name).toBe('named while it was away');
    expect(existsSync(modelFile(folder, id, 0))).toBe(true);
    await until(async () => (await service.archive.call('get', removed)) === null);
    for (const id of ['abcdef01', '\0']) await expect(service.recall(id)).rejects.toMatchObject({ status: 404 });
    await expect(service.recallAnalysis('\0')).rejects.toMatchObject({ status: 404 });
    expect((await service.renameRun(before, 'second')).name).toBe('second');
    await service.close();
  }, 120_000);

  it('freezes holds nobody up for long, and everything comes through afterwards', async () => {
    const service = open({
      dataFolder: join(workspace.root, 'frozen'),
      databaseUrl: await postgres.database('frozen'),
    });
    const before = await run(service);
    await until(() => isKept(service, before));
    postgres.freeze();
    try {
      const [list, unknown, rename] = await Promise.all([
        timed(service.listRuns()),
        timed(service.recall('abcdef01')),
        timed(service.renameRun(before, 'frozen')),
      ]);
      for (const { ms } of [list, unknown, rename]) expect(ms).toBeLessThan(4000);
      expect(list.result?.runs).toMatchObject([{ id: before }]);
      expect(list.result?.archive.message).toMatch(/does not answer/);
      for (const { error } of [unknown, rename])
        expect(error).toMatchObject({ status: 503, message: expect.stringMatching(/does not answer/) });
      const id = await run(service);
      expect((await timed(service.listRuns())).ms).toBeLessThan(4000);
      postgres.thaw();
      await until(() => isKept(service, id));
      expect((await service.renameRun(before, 'thawed')).name).toBe('thawed');
      expect(service.health().archive).toMatchObject({ state: 'open', waiting: 0 });
    } finally {
      postgres.thaw();
    }
    await service.close();
  }, 120_000);
});
