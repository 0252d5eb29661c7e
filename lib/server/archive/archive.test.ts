import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnalysisRequestSchema } from '@/lib/api/causal';
import { questionOf } from '@/lib/api/question';
import { type RunRequestInput, RunRequestSchema } from '@/lib/api/schemas';
import { decodeSafetensors } from '@/lib/safetensors';
import { isFinal } from '../book';
import { Service } from '../service';
import { migrationsFolder, type Settings } from '../settings';
import { makeWorkspace, PROMPT, request, type Workspace } from '../testing/workspace';
import { openDatabase } from './database';
import { analysisFile, arraysFolder, databaseFolder, modelFile, runFile, runFolder, storeFile } from './places';
import { runs } from './schema';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
let folder: string;
const services: Service[] = [];

beforeAll(async () => {
  workspace = await makeWorkspace();
  folder = join(workspace.root, 'data');
});

afterAll(async () => {
  for (const service of services) await close(service);
  await workspace.remove();
});

function open(overrides: Partial<Settings> = {}): Service {
  const service = new Service({ ...workspace.settings, dataFolder: folder, ...overrides });
  services.push(service);
  return service;
}

async function close(service: Service): Promise<void> {
  await Promise.all([service.worker.close(), service.archive.close()]);
}

const until = async (test: () => boolean | Promise<boolean>) => {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Bytes of one small run: reading another releases the first from memory. */
const ROOM_FOR_ONE = 60_000;

/** Runs to the end and waits until the run is on disk. */
async function run(service: Service, overrides: Partial<RunRequestInput> = {}): Promise<string> {
  const { id } = await service.createRun(RunRequestSchema.parse(request(overrides)));
  await until(() => isFinal(service.runs.get(id)));
  await until(() => service.runs.list().some((entry) => entry.id === id && entry.kept));
  return id;
}

const asked = (point: string) =>
  AnalysisRequestSchema.parse({
    kind: 'patch',
    model: 'plain',
    clean: PROMPT,
    corrupted: PROMPT.replace('kitchen', 'office'),
    point,
    target: 'kitchen',
    foil: 'office',
  });

/** Patches to the end with a run and waits until the result is on disk. */
async function answer(service: Service, id: string, point: string): Promise<string> {
  const { id: analysis } = await service.createAnalysis(asked(point), id);
  await until(() => isFinal(service.analysis(analysis)));
  await until(async () => (await service.archive.call('analysis', analysis)) !== null);
  return analysis;
}

/** Moves a run into a database as the first version made it, without markers and files that say what a run is. */
async function putIntoOlderDatabase(id: string): Promise<void> {
  const place = { folder, migrations: migrationsFolder(workspace.settings), template: '', limit: 0, instance: '' };
  const newer = await openDatabase(place);
  const [row] = await newer.db.select().from(runs).where(eq(runs.id, id));
  await newer.close();
  for (const name of readdirSync(runFolder(folder, id)))
    if (name.startsWith('analysis-')) rmSync(join(runFolder(folder, id), name));
  for (const made of [databaseFolder(folder), storeFile(folder), runFile(folder, id)])
    rmSync(made, { recursive: true });
  const migrations = join(workspace.root, 'older');
  cpSync(place.migrations, migrations, { recursive: true });
  const journal = join(migrations, 'meta', '_journal.json');
  const { entries, ...rest } = JSON.parse(readFileSync(journal, 'utf8'));
  writeFileSync(journal, JSON.stringify({ ...rest, entries: entries.slice(0, 1) }));
  const older = await openDatabase({ ...place, migrations });
  const { run } = JSON.parse(row.run);
  const { summary } = JSON.parse(row.summary);
  const { analyses: _, ...bare } = run;
  await older.db.execute(sql`INSERT INTO runs (id, name, created_at, bytes, summary, run) VALUES
    (${id}, ${row.name}, ${row.createdAt}, ${row.bytes}, ${JSON.stringify(summary)}, ${JSON.stringify(bare)})`);
  await older.close();
}

const bytesOf = async (service: Service, id: string) => {
  const query = { model: 1, layer: 0, branch: 'diff', reduce: 'mean' } as const;
  const map = decodeSafetensors((await service.read(id, 'map', query)).buffer);
  const lens = decodeSafetensors((await service.read(id, 'lens', { model: 1 })).buffer);
  return {
    map: map.tensors.get('map')?.data,
    error: map.metadata.reconstruction_error,
    top: lens.tensors.get('top_ids')?.data,
    entropy: lens.tensors.get('entropy')?.data,
    thumbnails: (await service.read(id, 'thumbnails', { model: 0 })).join(),
    signal: await service.read(id, 'signal', { model: 1, position: 7 }),
  };
};

it('is said to be unopened until somebody asks for what is kept', async () => {
  const service = open();
  expect(service.health().archive).toEqual({ state: 'unopened', waiting: 0 });
  await service.archive.call('list', null);
  expect(service.health().archive.state).toBe('open');
  await close(service);
});

describe('runs on disk', () => {
  let first: Service;
  let id: string;
  let before: Awaited<ReturnType<typeof bytesOf>>;

  beforeAll(async () => {
    first = open();
    id = await run(first, { models: ['plain', 'diff'] });
    await first.renameRun(id, 'the kitchen');
    before = await bytesOf(first, id);
    await close(first);
  });

  it('come back in another server exactly as they were', async () => {
    const second = open();
    const again = await second.recall(id);
    expect(again).toMatchObject({ id, name: 'the kitchen', state: 'done', available: true });
    expect(again.models).toEqual(first.run(id).models);
    expect(await bytesOf(second, id)).toEqual(before);
    await close(second);
  });

  it('come back to memory in the server that released them', async () => {
    const small = open({ runBytes: ROOM_FOR_ONE });
    const again = await bytesOf(small, id);
    const other = await run(small);
    expect(small.run(id).available).toBe(true);
    expect(await bytesOf(small, id)).toEqual(again);
    await small.forgetRun(other);
    await close(small);
  });

  it('are listed with those in memory, newest first, renamed and removed with their files', async () => {
    const service = open();
    await service.archive.call('open', null);
    const next = await run(service);
    const { runs, archive } = await service.listRuns();
    expect(archive).toMatchObject({ state: 'open' });
    expect(runs.map((entry) => [entry.id, entry.kept])).toEqual([
      [next, true],
      [id, true],
    ]);
    expect(runs[1]).toMatchObject({ name: 'the kitchen', bytes: expect.any(Number) });
    await service.renameRun(next, 'second');
    expect((await service.listRuns()).runs[0].name).toBe('second');
    expect(existsSync(modelFile(folder, next, 0))).toBe(true);
    await service.forgetRun(next);
    expect((await service.listRuns()).runs.map((entry) => entry.id)).toEqual([id]);
    expect(existsSync(runFolder(folder, next))).toBe(false);
    await expect(service.recall(next)).rejects.toMatchObject({ status: 404 });
    await close(service);
  });

  it('keep what a cancelled run had finished', async () => {
    const service = open();
    const { id: cancelled } = await service.createRun(RunRequestSchema.parse(request({ models: ['deep'] })));
    await until(() => service.run(cancelled).models[0].mapsReady > 2);
    service.cancelRun(cancelled);
    await until(async () => (await service.archive.call('get', cancelled)) !== null);
    const { mapsReady } = service.run(cancelled).models[0];
    await close(service);
    const next = open();
    await expect(next.read(cancelled, 'map', { layer: mapsReady - 1 })).resolves.toBeInstanceOf(Uint8Array);
    expect(await next.recall(cancelled)).toMatchObject({ state: 'cancelled' });
    await next.forgetRun(cancelled);
    await close(next);
  });

  it('keep finished analyses, which come back with question, result and tensors, and go with their run', async () => {
    const service = open();
    await service.recall(id);
    const patch = await answer(service, id, 'hook_out_proj');
    const again = await answer(service, id, 'hook_out_proj');
    const other = await answer(service, id, 'hook_resid_pre');
    await expect(service.createAnalysis(asked('hook_y'), 'nowhere')).rejects.toMatchObject({ status: 404 });
    expect(existsSync(analysisFile(folder, id, patch))).toBe(false);
    const kept = service.run(id).analyses;
    expect(kept.map((one) => one.id)).toEqual([again, other]);
    expect(kept[0]).toMatchObject({ kind: 'patch', question: questionOf(asked('hook_out_proj')) });
    const before = { analysis: structuredClone(service.analysis(other)), tensors: service.analysisTensors(other) };
    await close(service);

    const stranger = analysisFile(folder, id, 'stranger');
    writeFileSync(stranger, 'torn');
    utimesSync(stranger, 1, 1);
    const next = open();
    expect((await next.recall(id)).analyses).toEqual(kept);
    expect(readFileSync(stranger, 'utf8')).toBe('torn');
    rmSync(stranger);
    expect(await next.recallAnalysis(other)).toEqual(JSON.parse(JSON.stringify(before.analysis)));
    expect(next.analysisTensors(other)).toEqual(before.tensors);
    await expect(next.recallAnalysis(patch)).rejects.toMatchObject({ status: 404 });

    const run2 = await run(next);
    const gone = await answer(next, run2, 'hook_out_proj');
    await next.forgetRun(run2);
    expect(existsSync(analysisFile(folder, run2, gone))).toBe(false);
    await expect(next.recallAnalysis(gone)).rejects.toMatchObject({ status: 404 });
    await close(next);
  });

  it('come back from a database of a version that kept no analyses', async () => {
    await putIntoOlderDatabase(id);
    const service = open();
    expect(await service.recall(id)).toMatchObject({ name: 'the kitchen', analyses: [] });
    const patch = await answer(service, id, 'hook_out_proj');
    expect((await service.archive.call('get', id))?.run.analyses).toMatchObject([{ id: patch }]);
    await close(service);
  });

  it('say so when their files are damaged', async () => {
    const service = open();
    const path = modelFile(folder, id, 1);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 100));
    await expect(service.read(id, 'map', { model: 1, layer: 0 })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('cannot be read'),
    });
    writeFileSync(path, whole);
    await expect(service.read(id, 'map', { model: 1, layer: 0 })).resolves.toBeDefined();
    await close(service);
  });

  it('go oldest first when the limit is reached, and strangers in the folder stay', async () => {
    const strangers = ['orphan', '0123abcd'].map((name) => join(arraysFolder(folder), name));
    for (const stranger of strangers) {
      mkdirSync(stranger);
      writeFileSync(join(stranger, 'notes.txt'), 'precious');
      utimesSync(stranger, 1, 1);
    }
    const service = open({ dataBytes: 1_500_000 });
    const kept: string[] = [];
    while ((await service.recall(id).catch(() => null)) && kept.length < 20) {
      kept.push(await run(service, { models: ['plain', 'diff'] }));
      if (!(await service.archive.call('get', id))) break;
    }
    expect(kept.length).toBeGreaterThan(1);
    expect(existsSync(runFolder(folder, id))).toBe(false);
    expect(existsSync(runFolder(folder, kept[kept.length - 1]))).toBe(true);
    for (const stranger of strangers) expect(readFileSync(join(stranger, 'notes.txt'), 'utf8')).toBe('precious');
    await close(service);
  });

  it('are left alone by a second server on the folder, which says why and goes on without', async () => {
    const one = open();
    await one.archive.call('open', null);
    const two = open();
    await expect(two.archive.call('open', null)).rejects.toThrow(/is used by another Statescope/);
    const { archive } = await two.listRuns();
    expect(archive).toMatchObject({ state: 'failed', message: expect.stringContaining('STATESCOPE_DATA') });
    const { id: unkept } = await two.createRun(RunRequestSchema.parse(request()));
    await until(() => isFinal(two.run(unkept)));
    expect(await bytesOf(one, (await one.listRuns()).runs[0].id)).toBeDefined();
    await Promise.all([close(one), close(two)]);
  });
});
