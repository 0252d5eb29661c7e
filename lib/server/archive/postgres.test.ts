import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunRequestSchema } from '@/lib/api/schemas';
import { missingPostgres, Postgres } from '@/scripts/lib/postgres.mjs';
import { isFinal } from '../book';
import { Service } from '../service';
import type { Settings } from '../settings';
import { makeWorkspace, request, type Workspace } from '../testing/workspace';
import { joinInstances } from './instances';
import { lockFile, runFolder } from './places';

process.env.STATESCOPE_DEVICE = 'cpu';

const lacking = missingPostgres();
if (lacking) console.warn(`Not run: a store in a PostgreSQL server (needs ${lacking}).`);

describe.skipIf(lacking)(`a store in a PostgreSQL server${lacking ? ` (needs ${lacking})` : ''}`, () => {
  let workspace: Workspace;
  let postgres: Postgres;
  const services: Service[] = [];

  beforeAll(async () => {
    [workspace, postgres] = await Promise.all([makeWorkspace(), Postgres.create()]);
    await postgres.start();
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await close(service);
  });
  afterAll(async () => {
    await postgres?.remove();
    await workspace?.remove();
  });

  async function open(folder: string, overrides: Partial<Settings> = {}): Promise<Service> {
    const dataFolder = join(workspace.root, folder);
    const service = new Service({ ...workspace.settings, dataFolder, ...overrides });
    services.push(service);
    await service.archive.call('open', null);
    return service;
  }

  const close = (service: Service) => Promise.all([service.worker.close(), service.archive.close()]);
  const idsOf = async (service: Service) => (await service.listRuns()).runs.map(({ id }) => id).sort();

  async function run(service: Service): Promise<string> {
    const { id } = await service.createRun(RunRequestSchema.parse(request()));
    const kept = () => service.runs.list().some((entry) => entry.id === id && entry.kept);
    await vi.waitUntil(() => isFinal(service.runs.get(id)) && kept(), { timeout: 60_000 });
    return id;
  }

  it('that is new gets its rows from the files of an embedded store, which keeps all it has', async () => {
    const embedded = await open('moved');
    const ids = [await run(embedded), await run(embedded)].sort();
    await embedded.renameRun(ids[0], 'the kitchen');
    await close(embedded);
    const databaseUrl = await postgres.database('moved');
    const server = await open('moved', { databaseUrl });
    expect(await idsOf(server)).toEqual(ids);
    expect(await server.recall(ids[0])).toMatchObject({ name: 'the kitchen', available: true });
    await expect(server.read(ids[1], 'map', { layer: 0 })).resolves.toBeDefined();
    await close(server);
    const back = await open('moved');
    expect(await idsOf(back)).toEqual(ids);
    for (const id of ids) await expect(back.read(id, 'map', { layer: 0 })).resolves.toBeDefined();
  });

  it('holds several stores, each of which sees its own runs', async () => {
    const databaseUrl = await postgres.database('several');
    const [one, two] = [await open('one', { databaseUrl }), await open('two', { databaseUrl })];
    const ids = [await run(one), await run(two)];
    expect([await idsOf(one), await idsOf(two)]).toEqual([[ids[0]], [ids[1]]]);
    await close(one);
    expect(await idsOf(await open('one', { databaseUrl, dataBytes: 1 }))).toEqual([ids[0]]);
    expect(existsSync(runFolder(join(workspace.root, 'two'), ids[1]))).toBe(true);
  });

  it('is shared by servers on one folder: each lists all, what one removes is gone for the other', async () => {
    const databaseUrl = await postgres.database('shared');
    const [one, two] = [await open('shared', { databaseUrl }), await open('shared', { databaseUrl })];
    expect(existsSync(lockFile(join(workspace.root, 'shared')))).toBe(false);
    const ids = [await run(one), await run(two)].sort();
    expect([await idsOf(one), await idsOf(two)]).toEqual([ids, ids]);
    for (const id of ids)
      for (const service of [one, two]) await expect(service.read(id, 'map', { layer: 0 })).resolves.toBeDefined();
    const third = await open('shared', { databaseUrl });
    const own = two.runs.keptIds();
    const inTwo = async () => (await two.listRuns()).runs.filter(({ id }) => own.includes(id));
    expect(own.length).toBeGreaterThan(0);
    for (const id of own) await one.renameRun(id, 'the kitchen');
    expect(await inTwo()).toMatchObject(own.map(() => ({ name: 'the kitchen', kept: true })));
    await one.forgetRun(ids[0]);
    await expect(third.read(ids[0], 'map', { layer: 0 })).rejects.toMatchObject({ status: 404 });
    await one.forgetRun(ids[1]);
    // What a server has in memory it still shows, and says that it is not kept any more.
    expect(await inTwo()).toMatchObject(own.map(() => ({ kept: false, bytes: 0 })));
    expect(two.runs.keptIds()).toEqual([]);
    expect(readdirSync(join(workspace.root, 'shared', 'runs'))).toEqual([]);
  });

  it('is refused to a folder whose embedded database a server uses', async () => {
    await open('embedded');
    const databaseUrl = await postgres.database('embedded');
    await expect(open('embedded', { databaseUrl })).rejects.toThrow(/used by another Statescope/);
  });

  it('tells servers that live from those that are gone, also after their session broke', async () => {
    const connectionString = await postgres.database('instances');
    const connect = () => new pg.Client({ connectionString });
    const [first, second] = [randomUUID(), randomUUID()];
    const one = await joinInstances(first, connect);
    const two = await joinInstances(second, connect);
    const names = [first, second, randomUUID()];
    expect(await one.alive(names)).toEqual(new Set([first, second]));
    const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = 'instances' AND pid <> pg_backend_pid()`;
    await postgres.query(TERMINATE, 'instances');
    await vi.waitFor(async () => expect(await one.alive(names)).toEqual(new Set([first, second])), { timeout: 20_000 });
    await two.close();
    await vi.waitFor(async () => expect(await one.alive(names)).toEqual(new Set([first])), { timeout: 5000 });
    await one.close();
  });

  it('is trimmed by one server at a time', async () => {
    const connectionString = await postgres.database('turns');
    const join = () => joinInstances(randomUUID(), () => new pg.Client({ connectionString }));
    const [one, two] = [await join(), await join()];
    const [store, other] = [randomUUID(), randomUUID()];
    const inside = await one.exclusively(store, async () => [
      await two.exclusively(store, async () => 'both'),
      await two.exclusively(other, async () => 'other'),
    ]);
    expect(inside).toEqual([undefined, 'other']);
    expect(await two.exclusively(store, async () => 'after')).toBe('after');
    await Promise.all([one.close(), two.close()]);
  });
});
