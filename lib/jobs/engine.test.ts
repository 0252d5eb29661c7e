import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { snrOf, summarise } from '@/lib/analysis';
import { parseExamples } from '@/lib/data/example-source';
import { Random } from '@/lib/random';
import { writeModel } from '@/lib/server/testing/workspace';
import { Bench, isOver, JobEngine, type RequestOf, requestOfFile } from '.';
import { decode, encode } from './codec';
import { connect } from './connection';
import { fingerprintOf } from './fingerprint';
import { placesOf } from './kind';

let root: string;
let bench: Bench;
let engine: JobEngine | undefined;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'statescope-engine-'));
  const migrations = 'lib/server/archive/migrations';
  await cp(migrations, join(root, migrations), { recursive: true });
  await cp('dist/database', join(root, 'dist', 'database'), { recursive: true }).catch(() => undefined);
  for (const name of ['plain', 'diff', 'wordless']) await writeModel(join(root, 'models'), name);
  bench = await Bench.open({ device: 'cpu' }, root);
});
afterEach(() => engine?.close());
afterAll(async () => {
  bench?.close();
  await rm(root, { recursive: true, force: true });
});

const open = async (folder: string) => {
  engine = await JobEngine.open({ root, folder: join(root, folder) });
  return engine;
};
const snr = async (models: string[], more: object = {}) => {
  const { request } = await requestOfFile({ kind: 'snr', models, examples: ['demo:3'], resamples: 20, ...more }, root);
  return request as RequestOf<'snr'>;
};

describe('results as JSON', () => {
  it('come back to the last bit, whatever their numbers', () => {
    const value = { a: [Number.NaN, -1 / 3], b: Float64Array.of(Number.NEGATIVE_INFINITY, 5e-324), c: '\0$number' };
    expect(decode(encode(value))).toEqual(value);
  });
});

describe('places of items', () => {
  it('are all combinations, the last axis fastest', () => {
    expect(Array.from({ length: 6 }, (_, item) => placesOf(item, [2, 3]).join(''))).toEqual([
      '00',
      '01',
      '02',
      '10',
      '11',
      '12',
    ]);
  });
});

describe('the fingerprint of a model', () => {
  it('changes with a weight, and not with the place', async () => {
    const [here, there] = [join(root, 'models', 'plain'), join(root, 'moved')];
    await cp(here, there, { recursive: true });
    expect(await fingerprintOf(there)).toBe(await fingerprintOf(here));
    const path = join(there, 'model.safetensors');
    const bytes = await readFile(path);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(path, bytes);
    expect(await fingerprintOf(there)).not.toBe(await fingerprintOf(here));
  });
});

describe('a sweep', () => {
  it('sums up what each of its items found, as a batch does', async () => {
    const own = await open('summary');
    const sweep = await own.submit('snr', await snr(['plain+plain']));
    const seen: string[] = [];
    await own.finish(sweep.id, { bench, onItem: ({ label }) => seen.push(label) });
    expect(seen).toHaveLength(sweep.items);
    const { sources } = (await own.summary(sweep)) as { sources: { models: { rows: unknown[] }[] }[] };
    const [model] = sweep.request.models.flat();
    const { checkpoint, model: loaded } = await bench.model(model, 'float32');
    const examples = await parseExamples(sweep.request.sources[0].lines.join('\n'), 'it', checkpoint);
    const rows = summarise([snrOf(loaded, examples)], { random: new Random(42), resamples: 20 });
    const found = sources[0].models.at(-1)?.rows as typeof rows;
    expect(found.map(({ entry, metric }) => [entry, metric])).toEqual(rows.map(({ entry, metric }) => [entry, metric]));
    for (const [k, row] of rows.entries()) {
      if (Number.isNaN(row.mean)) expect(found[k].mean).toBeNaN();
      else expect(found[k].mean).toBeCloseTo(row.mean, 4);
    }
  });

  it('of allocation comes to the same by prompt and by batch', async () => {
    const own = await open('allocation');
    const { kind, request } = await requestOfFile(
      { kind: 'allocation', models: ['plain', 'diff'], examples: ['demo:2', 'demo:1'], layers: [1, 2], resamples: 20 },
      root,
    );
    const sweep = await own.submit(kind, request);
    expect(sweep.items).toBe(6);
    expect(isOver(await own.finish(sweep.id, { bench }))).toBe(true);
    const { sources } = (await own.summary(sweep)) as { sources: { examples: number; models: { model: string }[] }[] };
    expect(sources.map(({ examples }) => examples)).toEqual([2, 1]);
    expect(sources[0].models.map(({ model }) => model)).toEqual(['plain', 'diff']);
  });

  it('is the same sweep when it is asked for again, and does nothing twice', async () => {
    const own = await open('twice');
    const first = await own.submit('snr', await snr(['plain']));
    await own.finish(first.id, { bench });
    const results = await own.results(first);
    const again = await own.submit('snr', await snr(['plain']));
    expect(again.id).toBe(first.id);
    await own.finish(again.id, { bench, onItem: () => expect.unreachable('it was done') });
    expect(await own.results(again)).toEqual(results);
    expect((await own.submit('snr', await snr(['plain'], { seed: 1 }))).id).not.toBe(first.id);
    expect(await own.list()).toHaveLength(2);
  });

  it('goes on without items that fail, says why, and tries them again when asked', async () => {
    const own = await open('failing');
    const sweep = await own.submit('snr', await snr(['wordless', 'plain']));
    const { done, failed } = await own.finish(sweep.id, { bench });
    expect([done, failed.length]).toEqual([3, 3]);
    expect(failed[0]).toMatchObject({
      item: 0,
      label: 'wordless, demo:3, example 1',
      error: expect.stringMatching(/no tokenizer/),
    });
    await expect(own.results(sweep)).rejects.toThrow(/3 of its 6 items/);
    await own.retry(sweep.id);
    expect((await own.status(sweep.id)).failed).toEqual([]);
    expect((await own.finish(sweep.id, { bench })).failed).toHaveLength(3);
  });

  it('refuses a model that is another than the one it was made for', async () => {
    const own = await open('other');
    const asked = await snr(['plain']);
    const sweep = await own.submit('snr', { ...asked, models: [[{ ...asked.models[0][0], fingerprint: '0' }]] });
    const { failed } = await own.finish(sweep.id, { bench });
    expect(failed[0].error).toMatch(/not the one that the sweep was made for/);
  });

  it('gives up on an item that workers die of, one after another', async () => {
    process.env.STATESCOPE_LEASE_SECONDS = '6';
    const place = { root, folder: join(root, 'deadly') };
    const database = await connect(place);
    const own = await JobEngine.open(place, database);
    engine = own;
    delete process.env.STATESCOPE_LEASE_SECONDS;
    const sweep = await own.submit('snr', await snr(['plain']));
    await database.query(
      `UPDATE pgboss.job SET state = 'active', started_on = now() - interval '1 hour', retry_count = retry_limit
        WHERE name = $1 AND data->>'item' = '1'`,
      ['statescope-items'],
    );
    const { failed, done } = await own.finish(sweep.id, { bench });
    expect(done).toBe(2);
    expect(failed).toMatchObject([{ item: 1, error: expect.stringMatching(/^5 workers died/) }]);
  });
});
