import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '@/lib/checkpoint';
import { openFile } from '@/lib/checkpoint/files';
import { readSafetensorsHeader } from '@/lib/checkpoint/safetensors';
import { decodeSafetensors } from '@/lib/safetensors';
import { Service } from '../service';
import { migrationsFolder } from '../settings';
import { makeWorkspace, type Workspace } from '../testing/workspace';
import { openDatabase } from './database';
import { analysisFile, modelFile, runFile } from './places';
import { fromStored, toStored } from './stored';

process.env.STATESCOPE_DEVICE = 'cpu';

/** A run of the architecture diff with an analysis, as the first version wrote them: rows, and files beside them. */
const FIXTURE = join(import.meta.dirname, 'fixtures', 'format-1');
const rows = JSON.parse(readFileSync(join(FIXTURE, 'rows.json'), 'utf8'));
const [stored] = rows.runs;
const [answer] = rows.analyses;

describe('causal tests of the second format', () => {
  const kept = JSON.parse(answer.analysis);
  const reading = {
    value: 1,
    target_prob: 0.5,
    target_rank: 0,
    log_odds: 1,
    snr_vocab: 1,
    snr_candidates: 1,
    kl: 0,
    answer: 3,
  };
  const question = { model: 'm', target: 1, prompt: 'p' };
  const base = { metric: 'target_logit', position: 1, base: reading };
  const read = (request: object, result: object) =>
    fromStored('analysis', JSON.stringify({ format: 2, analysis: { ...kept, request, result } })).result;

  it('are read, with null where something was not measured yet', () => {
    const runs = [{ ...reading, change: 1, layer: 0, unit: 'block' }];
    const ablate = { kind: 'ablate', ...base, runs };
    const ask = { ...question, kind: 'ablate', method: 'mean' };
    expect(read(ask, ablate)).toMatchObject({
      reference: { source: 'self', prompts: 1, left_out: 0 },
      runs: [{ frozen_norms: null, value: 1 }],
    });
    expect(read({ ...ask, reference: ['q'] }, ablate)).toMatchObject({ reference: null });
    expect(read({ ...ask, method: 'zero' }, ablate)).toMatchObject({ reference: null });
    const layers = [{ layer: 0, base: reading, changed: reading }];
    const changed = { kind: 'intervene', ...base, changed: reading, layers };
    expect(read({ ...question, kind: 'intervene', method: 'mean', removed: [] }, changed)).toMatchObject({
      reference: null,
      frozen_norms: null,
      layers: [{ frozen_norms: null }],
    });
    const grids = {
      layers: [[0]],
      spans: [
        [0, 1],
        [1, 2],
      ],
      base: 1,
      without: [[0, 1]],
      change: [[-1, 0]],
    };
    const { metric, position } = base;
    expect(read({ ...question, kind: 'knockout' }, { kind: 'knockout', metric, position, ...grids })).toMatchObject({
      frozen_norms: null,
      change: [[-1, null]],
      tested: [true, false],
    });
    const lambda = { kind: 'lambda', ...base, runs: [{ ...reading, change: 1, layers: [0], lambda: 0 }] };
    expect(read({ ...question, kind: 'lambda', values: [0] }, lambda)).toMatchObject({
      runs: [{ frozen_norms: null }],
    });
  });
});

describe('a store of the first format', () => {
  let workspace: Workspace;
  let service: Service;
  let folder: string;

  beforeAll(async () => {
    workspace = await makeWorkspace();
    folder = join(workspace.root, 'data');
    const migrations = join(workspace.root, 'first');
    cpSync(migrationsFolder(workspace.settings), migrations, { recursive: true });
    const journal = join(migrations, 'meta', '_journal.json');
    const { entries, ...rest } = JSON.parse(readFileSync(journal, 'utf8'));
    writeFileSync(journal, JSON.stringify({ ...rest, entries: entries.slice(0, 2) }));
    const template = join(workspace.root, 'dist', 'database');
    const database = await openDatabase({ folder, migrations, template, limit: 0, instance: '' });
    for (const [table, row] of [['runs', stored] as const, ['analyses', answer] as const]) {
      const columns = sql.join(
        Object.keys(row).map((name) => sql.identifier(name)),
        sql`, `,
      );
      const values = sql.join(
        Object.values(row).map((value) => sql`${value}`),
        sql`, `,
      );
      await database.db.execute(sql`INSERT INTO ${sql.identifier(table)} (${columns}) VALUES (${values})`);
    }
    await database.close();
    mkdirSync(dirname(modelFile(folder, stored.id, 0)), { recursive: true });
    copyFileSync(join(FIXTURE, 'model-0.safetensors'), modelFile(folder, stored.id, 0));
    copyFileSync(join(FIXTURE, `analysis-${answer.id}.safetensors`), analysisFile(folder, stored.id, answer.id));
    service = new Service({ ...workspace.settings, dataFolder: folder });
  });
  afterAll(async () => {
    await Promise.all([service?.worker.close(), service?.archive.close()]);
    await workspace?.remove();
  });

  it('opens with runs, names, arrays and analyses', async () => {
    const run = await service.recall(stored.id);
    expect(run).toMatchObject({ name: 'of the first format', state: 'done', available: true });
    expect(run.models).toEqual(JSON.parse(stored.run).models);
    expect(run.analyses).toMatchObject([{ id: answer.id, question: answer.question }]);
    for (const [layer, block] of run.models[0].blocks.entries())
      for (const branch of block.branches) {
        const map = decodeSafetensors((await service.read(stored.id, 'map', { layer, branch })).buffer);
        expect(Number(map.metadata.reconstruction_error)).toBeLessThan(1e-4);
      }
    const { result, ...rest } = JSON.parse(answer.analysis);
    const { clean, corrupted, patched } = result;
    const metrics = { logit_difference: { clean, corrupted, patched } };
    expect(await service.recallAnalysis(answer.id)).toEqual({
      ...rest,
      result: { ...result, direction: 'denoise', cautions: [], metrics },
    });
    expect(service.analysisTensors(answer.id)).toEqual(
      new Uint8Array(readFileSync(join(FIXTURE, `analysis-${answer.id}.safetensors`))),
    );
    expect(fromStored('run', readFileSync(runFile(folder, stored.id), 'utf8'))).toMatchObject({ id: stored.id });
    expect((await service.listRuns()).runs).toMatchObject([{ id: stored.id, kept: true }]);
  });

  type Structure = Record<string, never> & {
    L: number;
    request: { tokens: unknown[] };
    config: { d: number; blocks: { kind: string; mixer: { E: number } }[] };
    residuals: unknown[];
    blocks: { index: number; out: unknown; scans: { $map: [string, { L: number; family: string }][] } }[];
  };
  it.each<[string, (record: Structure) => void]>([
    ['another length', (record) => void record.L++],
    ['a token less', ({ request }) => void request.tokens.pop()],
    ['another width', ({ config }) => void Object.assign(config, { d: 2 * config.d })],
    ['an unknown kind of block', ({ config }) => void Object.assign(config.blocks[0], { kind: 'transformer' })],
    ['another kind of block', ({ config }) => void Object.assign(config.blocks[0], { kind: 'diff_mamba1' })],
    [
      'another inner width',
      ({ config }) => void Object.assign(config.blocks[0].mixer, { E: 2 * config.blocks[0].mixer.E }),
    ],
    ['a residual stream less', ({ residuals }) => void residuals.pop()],
    ['blocks that have changed places', ({ blocks }) => void blocks.reverse()],
    ['a scan of another length', ({ blocks }) => void blocks[1].scans.$map[0][1].L++],
    ['a number for an array', ({ blocks }) => void Object.assign(blocks[0], { out: 5 })],
    [
      'an array of another place',
      ({ blocks }) => void Object.assign(blocks[0], { out: { $array: 'blocks.0.scans.mixer_1.A' } }),
    ],
    ['an array that is not there', ({ blocks }) => void Object.assign(blocks[0], { out: { $array: 'nowhere' } })],
    ['another family', ({ blocks }) => void Object.assign(blocks[1].scans.$map[0][1], { family: 'mamba2' })],
  ])('says of a run whose metadata tell of %s that it cannot be read', async (_what, change) => {
    const path = modelFile(folder, stored.id, 0);
    const source = await openFile(join(FIXTURE, 'model-0.safetensors'));
    const { metadata } = await readSafetensorsHeader(source).finally(() => source.close());
    const tensors = await readSafetensors(join(FIXTURE, 'model-0.safetensors'));
    const structure = JSON.parse(metadata.structure);
    change(structure);
    await writeSafetensors(path, tensors.values() as never, { ...metadata, structure: JSON.stringify(structure) });
    const other = new Service({ ...workspace.settings, dataFolder: folder });
    other.runs.restore(await service.recall(stored.id), 1);
    await expect(other.read(stored.id, 'map', { layer: 0 })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('cannot be read'),
    });
    await other.worker.close();
  });
});

describe('what is stored', () => {
  const run = fromStored('run', stored.run);

  it('comes back as it was, and from the first format with what that lacked', () => {
    expect(fromStored('run', toStored('run', run))).toEqual(run);
    const { analyses: _, ...older } = JSON.parse(stored.run);
    expect(fromStored('run', JSON.stringify(older))).toEqual({ ...run, analyses: [] });
  });

  it('takes margins that were called log-odds for margins, and knows no more of them', () => {
    const older = JSON.parse(answer.analysis);
    const reading = {
      value: 1,
      target_prob: 0.5,
      target_rank: 0,
      snr_vocab: 2,
      snr_candidates: null,
      kl: 0,
      answer: 3,
    };
    const intervene = {
      ...{ kind: 'intervene', metric: 'target_logit', position: 5, changed: null },
      base: { ...reading, log_odds: 1.5 },
      layers: [{ layer: 0, base: { ...reading, log_odds: 2.5 }, changed: { ...reading, log_odds: -1 } }],
    };
    const unknown = { target_log_odds: null, margin_std: null };
    const read = fromStored('analysis', JSON.stringify({ ...older, result: intervene })).result;
    expect(JSON.stringify(read)).not.toContain('"log_odds"');
    expect(read).toMatchObject({
      base: { ...reading, ...unknown, margin: 1.5 },
      layers: [
        { layer: 0, base: { ...reading, ...unknown, margin: 2.5 }, changed: { ...reading, ...unknown, margin: -1 } },
      ],
    });
    const row = { entry: 'final', mean: 1, stderr: 0.1, low: 0.8, high: 1.2, n: 4 };
    const snr = { kind: 'snr', lens: 'logit', examples: 4, models: [{ model: 'plain', rows: [] as object[] }] };
    const written = { ...snr, models: [{ model: 'plain', rows: [{ ...row, metric: 'log_odds' }] }], difference: null };
    const request = { kind: 'snr', models: ['plain'], examples: 'demo:4', metrics: ['log_odds'], lens: 'logit' };
    const text = JSON.stringify({
      format: 2,
      analysis: { ...older, request: { ...request, resamples: 9, seed: 1 }, result: written },
    });
    expect(fromStored('analysis', text).result).toEqual({
      ...written,
      models: [{ model: 'plain', rows: [{ ...row, metric: 'margin' }] }],
      notes: [],
      intervals: { level: 0.95, over: 'prompts' },
    });
  });

  it.each([
    ['is cut off', toStored('run', run).slice(0, -10), /not JSON/],
    ['is of a newer format', JSON.stringify({ format: 99, run }), /of format 99, and this version reads those up to 5/],
    ['is something else', toStored('summary', fromStored('summary', stored.summary)), /holds no run/],
    ['has a part of another type', JSON.stringify({ format: 2, run: { ...run, models: 7 } }), /run\.models/],
    ['lacks a part', JSON.stringify({ ...JSON.parse(stored.run), request: undefined }), /run\.request/],
  ])('is refused in words when it %s', (_what, text, words) => {
    expect(() => fromStored('run', text)).toThrow(words);
  });
});
