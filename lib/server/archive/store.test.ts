import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AnalysisRequestSchema } from '@/lib/api/causal';
import { type RunRequestInput, RunRequestSchema } from '@/lib/api/schemas';
import { isFinal } from '../book';
import { Service } from '../service';
import { archivePath, databaseTemplate, migrationsFolder, type Settings } from '../settings';
import { makeWorkspace, PROMPT, request, type Workspace } from '../testing/workspace';
import {
  analysisFile,
  analysisRecordFile,
  arraysFolder,
  databaseFolder,
  lockFile,
  modelFile,
  runFile,
  runFolder,
  storeFile,
} from './places';
import type { ArchiveStart } from './protocol';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
const services: Service[] = [];
let folders = 0;

beforeAll(async () => {
  workspace = await makeWorkspace();
});
afterEach(async () => {
  for (const service of services.splice(0)) await close(service);
});
afterAll(() => workspace.remove());

const newFolder = () => join(workspace.root, `data-${folders++}`);

function open(folder: string, overrides: Partial<Settings> = {}): Service {
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

/** Runs to the end, without waiting for the disk. */
async function compute(service: Service, overrides: Partial<RunRequestInput> = {}): Promise<string> {
  const { id } = await service.createRun(RunRequestSchema.parse(request(overrides)));
  await until(() => isFinal(service.runs.get(id)));
  return id;
}

async function run(service: Service, overrides: Partial<RunRequestInput> = {}): Promise<string> {
  const id = await compute(service, overrides);
  await until(() => service.runs.list().some((entry) => entry.id === id && entry.kept));
  return id;
}

async function patch(service: Service, id: string): Promise<string> {
  const asked = AnalysisRequestSchema.parse({
    kind: 'patch',
    model: 'plain',
    clean: PROMPT,
    corrupted: PROMPT.replace('kitchen', 'office'),
    target: 'kitchen',
    foil: 'office',
  });
  const { id: analysis } = await service.createAnalysis(asked, id);
  await until(() => isFinal(service.analysis(analysis)));
  await until(async () => (await service.archive.call('analysis', analysis)) !== null);
  return analysis;
}

/** Everything below a folder by its path, with its content and the time of its last change. */
function everything(folder: string): [string, string, number][] {
  const below = (path: string): [string, string, number][] => {
    const { mtimeMs } = lstatSync(path);
    return lstatSync(path).isDirectory()
      ? [[path, '', mtimeMs], ...readdirSync(path).flatMap((name) => below(join(path, name)))]
      : [[path, readFileSync(path, 'latin1'), mtimeMs]];
  };
  return below(folder);
}

describe('a folder that Statescope did not make', () => {
  const made = (folder: string, files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  };

  it.each([
    [
      "with TensorBoard's runs",
      { 'runs/2026-11-20_mamba_train/events.out.tfevents.1': 'precious', 'runs/notes.txt': 'notes' },
    ],
    ['with folders that are named like runs', { 'runs/0123abcd/model-0.safetensors': 'weights of somebody' }],
    ['with a file', { 'thesis.tex': 'chapter' }],
    ['with a PostgreSQL server of its own', { 'database/PG_VERSION': '17', 'database/postmaster.opts': 'postgres' }],
    ['with a marker of something else', { 'store.json': '{"format":1,"store":"a shop"}' }],
    ['with a lock of something else', { 'lock.json': '{"locked":true}' }],
  ])('%s is refused in one sentence, and nothing in it is touched', async (_what, files) => {
    const folder = newFolder();
    made(folder, files);
    const before = everything(folder);
    const service = open(folder);
    await expect(service.archive.call('open', null)).rejects.toThrow(/left alone\. Set STATESCOPE_DATA to/);
    const id = await compute(service);
    const { archive, runs } = await service.listRuns();
    expect(archive).toMatchObject({ state: 'failed', message: expect.stringContaining(folder) });
    expect(runs).toMatchObject([{ id, kept: false, available: true }]);
    await close(service);
    expect(everything(folder)).toEqual(before);
  });

  it('is used when it is empty, also as a new file system is', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'lost+found'), { recursive: true });
    const service = open(folder);
    const id = await run(service);
    expect(JSON.parse(readFileSync(storeFile(folder), 'utf8'))).toEqual({ format: 1, store: expect.any(String) });
    expect(existsSync(runFile(folder, id))).toBe(true);
  });
});

describe('what is removed from a store', () => {
  it('is only what Statescope wrote: strangers, links and what they lead to stay', async () => {
    const folder = newFolder();
    const service = open(folder);
    const [kept, linked, plain] = [await run(service), await run(service), await run(service)];
    const outside = newFolder();
    renameSync(runFolder(folder, linked), outside);
    symlinkSync(outside, runFolder(folder, linked));
    writeFileSync(join(runFolder(folder, kept), 'notes.txt'), 'precious');
    const elsewhere = `${newFolder()}.safetensors`;
    renameSync(modelFile(folder, kept, 0), elsewhere);
    symlinkSync(elsewhere, modelFile(folder, kept, 0));
    for (const id of [kept, linked, plain]) await service.forgetRun(id);
    expect((await service.listRuns()).runs).toEqual([]);
    expect(existsSync(runFolder(folder, plain))).toBe(false);
    expect(readdirSync(runFolder(folder, kept)).sort()).toEqual(['model-0.safetensors', 'notes.txt']);
    expect(existsSync(elsewhere)).toBe(true);
    expect(readdirSync(outside).sort()).toEqual(['model-0.safetensors', 'run.json']);
    await close(service);

    const next = open(folder);
    await next.archive.call('open', null);
    expect((await next.listRuns()).runs).toEqual([]);
    expect(readFileSync(join(runFolder(folder, kept), 'notes.txt'), 'utf8')).toBe('precious');
  });

  it('goes at the next start where a kill cut its removal or its writing off', async () => {
    const folder = newFolder();
    const service = open(folder);
    const [removed, kept] = [await run(service), await run(service)];
    await close(service);
    renameSync(runFolder(folder, removed), `${runFolder(folder, removed)}.removed`);
    const torn = runFolder(folder, '0123abcd');
    mkdirSync(torn);
    const draft = readFileSync(modelFile(folder, kept, 0)).subarray(0, 20_000);
    for (const path of [torn, runFolder(folder, kept)]) {
      writeFileSync(join(path, 'model-0.safetensors.partial-a.machine-1-0'), draft);
      utimesSync(path, 1, 1);
    }
    const next = open(folder);
    await next.archive.call('open', null);
    expect((await next.listRuns()).runs.map(({ id }) => id)).toEqual([kept]);
    expect(readdirSync(arraysFolder(folder))).toEqual([kept]);
    expect(readdirSync(runFolder(folder, kept)).sort()).toEqual(['model-0.safetensors', 'run.json']);
  });
});

describe('a store whose database is gone', () => {
  it('has all its runs again, with names and analyses, from its files', async () => {
    const folder = newFolder();
    const service = open(folder);
    const [first, second] = [await run(service, { models: ['plain', 'diff'] }), await run(service)];
    await service.renameRun(first, 'the kitchen');
    const analysis = await patch(service, first);
    const before = {
      runs: (await service.listRuns()).runs,
      first: await service.archive.call('get', first),
      second: await service.archive.call('get', second),
      analysis: await service.archive.call('analysis', analysis),
    };
    await close(service);
    const files = everything(arraysFolder(folder)).map(([path]) => path);
    renameSync(databaseFolder(folder), `${databaseFolder(folder)}.away`);

    const next = open(folder);
    await next.archive.call('open', null);
    expect(existsSync(analysisRecordFile(folder, first, analysis))).toBe(true);
    expect({
      runs: (await next.listRuns()).runs,
      first: await next.archive.call('get', first),
      second: await next.archive.call('get', second),
      analysis: await next.archive.call('analysis', analysis),
    }).toEqual(before);
    expect(everything(arraysFolder(folder)).map(([path]) => path)).toEqual(files);
    await expect(next.read(first, 'map', { model: 1, layer: 0 })).resolves.toBeDefined();
  });

  it('keeps its own runs beside the database of another store', async () => {
    const [one, two] = [newFolder(), newFolder()];
    const ids: string[] = [];
    for (const folder of [one, two]) {
      const service = open(folder);
      ids.push(await run(service));
      await close(service);
    }
    renameSync(databaseFolder(one), `${databaseFolder(one)}.away`);
    renameSync(databaseFolder(two), databaseFolder(one));
    for (const [folder, id] of [
      [one, ids[0]],
      [two, ids[1]],
    ]) {
      const service = open(folder);
      await service.archive.call('open', null);
      expect((await service.listRuns()).runs).toMatchObject([{ id, available: true, kept: true }]);
      await close(service);
    }
  });

  it('says of a run whose arrays were taken away that they are gone', async () => {
    const folder = newFolder();
    const service = open(folder);
    const id = await run(service);
    await close(service);
    rmSync(modelFile(folder, id, 0));
    const next = open(folder);
    expect(await next.recall(id)).toMatchObject({ state: 'done', available: false });
  });
});

/** Whether processes can get numbers of their own here, as in a container. */
const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
if (!canUnshare) console.warn('Not run: two PID namespaces on one folder (this user may not call unshare).');

describe('a folder that a server in another PID namespace uses', () => {
  it.skipIf(!canUnshare)('is left to it, and stays whole', async () => {
    const folder = newFolder();
    const service = open(folder);
    const id = await run(service);
    const workerData: ArchiveStart = {
      folder,
      limit: 1e9,
      instance: randomUUID(),
      migrations: migrationsFolder(workspace.settings),
      template: databaseTemplate(workspace.settings),
    };
    const program = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(archivePath(workspace.settings))}, ${JSON.stringify({ workerData })});
      worker.on('message', (reply) => { console.log(JSON.stringify(reply)); process.exit(); });`;
    const unshared = spawn('unshare', ['--pid', '--fork', '--mount-proc', process.execPath, '-e', program]);
    let said = '';
    unshared.stdout.on('data', (data) => {
      said += data;
    });
    await once(unshared, 'close');
    expect(JSON.parse(said)).toMatchObject({
      kind: 'closed',
      message: expect.stringMatching(/used by another Statescope \(process \d+ on .*another machine or container\)/),
    });
    expect((await service.archive.call('get', id))?.run).toMatchObject({ id, state: 'done' });
    await close(service);
    const next = open(folder);
    await next.archive.call('open', null);
    expect((await next.listRuns()).runs).toMatchObject([{ id, available: true }]);
  });

  it('is not written to any more once that has taken it over from a server that stood still', async () => {
    const folder = newFolder();
    const service = open(folder);
    const id = await run(service);
    const foreign = { pid: 1, started: '7', host: 'node17', boot: 'b', namespace: 'pid:[1]', token: 'foreign' };
    writeFileSync(join(folder, 'taker'), JSON.stringify(foreign));
    renameSync(join(folder, 'taker'), lockFile(folder));
    const before = everything(databaseFolder(folder));
    await expect(service.archive.call('rename', { id, name: 'late' })).rejects.toThrow(/taken over.*node17/);
    expect((await service.listRuns()).archive).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('node17'),
    });
    await close(service);
    expect(everything(databaseFolder(folder))).toEqual(before);
    expect(JSON.parse(readFileSync(lockFile(folder), 'utf8'))).toEqual(foreign);
  });
});

describe('a store of a version without markers', () => {
  it('is taken over with all it holds', async () => {
    const folder = newFolder();
    const service = open(folder);
    const id = await run(service);
    const analysis = await patch(service, id);
    await close(service);
    for (const made of [storeFile(folder), runFile(folder, id), analysisRecordFile(folder, id, analysis)]) rmSync(made);
    writeFileSync(join(folder, 'notes.txt'), 'precious');
    writeFileSync(lockFile(folder), '');
    const next = open(folder);
    expect(await next.recall(id)).toMatchObject({ available: true, analyses: [{ id: analysis }] });
    for (const made of [storeFile(folder), runFile(folder, id), analysisRecordFile(folder, id, analysis)])
      expect(existsSync(made)).toBe(true);
    expect(existsSync(analysisFile(folder, id, analysis))).toBe(true);
    expect(existsSync(join(folder, 'notes.txt'))).toBe(true);
  });
});
