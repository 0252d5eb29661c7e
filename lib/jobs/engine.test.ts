import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { snrOf, summarise } from '@/lib/analysis';
import { parseExamples } from '@/lib/data/example-source';
import { Random } from '@/lib/random';
import { writeModel } from '@/lib/server/testing/workspace';
import { Bench, isComplete, isOver, itemsOn, JobEngine, type RequestOf, requestOfFile, stateOf } from '.';
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
    await own.finish(sweep.id, { on: itemsOn(bench), onItem: ({ label }) => seen.push(label) });
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
    expect(isOver(await own.finish(sweep.id, { on: itemsOn(bench) }))).toBe(true);
    const { sources } = (await own.summary(sweep)) as { sources: { examples: number; models: { model: string }[] }[] };
    expect(sources.map(({ examples }) => examples)).toEqual([2, 1]);
    expect(sources[0].models.map(({ model }) => model)).toEqual(['plain', 'diff']);
  });

  it('that was cancelled keeps what it has, is nobody’s work, and goes on when it is asked for again', async () => {
    const own = await open('cancelled');
    const request = await snr(['plain', 'diff']);
    const { id, items } = await own.submit('snr', request);
    const stop = new AbortController();
    await own.finish(id, { on: itemsOn(bench), signal: stop.signal, onItem: () => stop.abort() });
    await own.cancel(id);
    const left = await own.status(id);
    expect([stateOf(left), isOver(left), isComplete(left), await own.pending()]).toEqual(['cancelled', true, false, 0]);
    expect(left.done).toBeGreaterThan(0);
    expect(left.done).toBeLessThan(items);
    expect(await own.resume()).toEqual([]);
    const { done } = await own.finish(id, { on: itemsOn(bench), onItem: () => expect.unreachable('it was cancelled') });
    expect(done).toBe(left.done);
    await own.submit('snr', request);
    expect(await own.resume()).toEqual([id]);
    const whole = await own.finish(id, { on: itemsOn(bench) });
    expect([stateOf(whole), whole.done]).toEqual(['done', items]);
    // Cancelling what is over changes nothing.
    await own.cancel(id);
    expect(stateOf(await own.status(id))).toBe('done');
    await expect(own.cancel('nothing')).rejects.toThrow(/no sweep nothing/);
  });

  it('gives an item out once, however long another thread takes over it', async () => {
    vi.stubEnv('STATESCOPE_LEASE_SECONDS', '2');
    const own = await open('slow');
    vi.unstubAllEnvs();
    const { id } = await own.submit('snr', await snr(['plain'], { seed: 9 }));
    const computed: number[] = [];
    const compute = async (_kind: string, _request: unknown, item: number) => {
      computed.push(item);
      if (item === 0) await sleep(5000);
      return {};
    };
    const { failed, done } = await own.finish(id, { on: { device: 'none', compute } });
    expect([failed, done, computed]).toEqual([[], 3, [0, 1, 2]]);
  }, 60_000);

  it('stops an item that takes long where its sweep is cancelled', async () => {
    const own = await open('stopped');
    const { id } = await own.submit('snr', await snr(['plain'], { seed: 10 }));
    const compute = (_kind: string, _request: unknown, _item: number, signal?: AbortSignal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
    const seen: (string | undefined)[] = [];
    const finished = own.finish(id, { on: { device: 'none', compute }, onItem: ({ error }) => seen.push(error) });
    await expect.poll(async () => (await own.status(id)).active).toBe(1);
    await own.cancel(id);
    const { done, failed } = await finished;
    expect([done, failed, seen]).toEqual([0, [], ['The sweep was cancelled.']]);
  }, 60_000);

  it('is the same sweep when it is asked for again, and does nothing twice', async () => {
    const own = await open('twice');
    const first = await own.submit('snr', await snr(['plain']));
    await own.finish(first.id, { on: itemsOn(bench) });
    const results = await own.results(first);
    const again = await own.submit('snr', await snr(['plain']));
    expect(again.id).toBe(first.id);
    await own.finish(again.id, { on: itemsOn(bench), onItem: () => expect.unreachable('it was done') });
    expect(await own.results(again)).toEqual(results);
    expect((await own.submit('snr', await snr(['plain'], { seed: 1 }))).id).not.toBe(first.id);
    expect(await own.list()).toHaveLength(2);
  });

  it('goes on without items that fail, says why, and tries them again when asked', async () => {
    const own = await open('failing');
    const sweep = await own.submit('snr', await snr(['wordless', 'plain']));
    const { done, failed } = await own.finish(sweep.id, { on: itemsOn(bench) });
    expect([done, failed.length]).toEqual([3, 3]);
    expect(failed[0]).toMatchObject({
      item: 0,
      label: 'wordless, demo:3, example 1',
      error: expect.stringMatching(/no tokenizer/),
    });
    await expect(own.results(sweep)).rejects.toThrow(/3 of its 6 items/);
    await own.retry(sweep.id);
    expect((await own.status(sweep.id)).failed).toEqual([]);
    expect((await own.finish(sweep.id, { on: itemsOn(bench) })).failed).toHaveLength(3);
  });

  it('refuses a model that is another than the one it was made for', async () => {
    const own = await open('other');
    const asked = await snr(['plain']);
    const sweep = await own.submit('snr', { ...asked, models: [[{ ...asked.models[0][0], fingerprint: '0' }]] });
    const { failed } = await own.finish(sweep.id, { on: itemsOn(bench) });
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
    const { failed, done } = await own.finish(sweep.id, { on: itemsOn(bench) });
    expect(done).toBe(2);
    expect(failed).toMatchObject([{ item: 1, error: expect.stringMatching(/^5 workers died/) }]);
  });
});
