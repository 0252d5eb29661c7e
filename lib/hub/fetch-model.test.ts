import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError, listModels, loadCheckpoint } from '@/lib/checkpoint';
import { encodeSafetensors } from '@/lib/safetensors';
import { type DownloadProgress, type FetchOptions, fetchModel } from '.';
import { FORMER_NAME, type HubServer, startHub } from './testing/hub-server';

const MODEL = 'someone/tiny-mamba';
const cases = join(process.cwd(), 'lib/models/testing/cases');
const plainCase = join(cases, 'hf-mamba1-bias');

const read = (folder: string, ...names: string[]) =>
  new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));

const bytesOf = (data: Float32Array = new Float32Array()) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

let cache: string;
let hub: HubServer | undefined;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'hub-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
  await hub?.close();
  hub = undefined;
});

async function serve(files = read(plainCase, 'config.json', 'model.safetensors')): Promise<HubServer> {
  hub = await startHub(MODEL, files);
  return hub;
}

const fetchFrom = (server: HubServer, { onProgress, ...options }: FetchOptions = {}) =>
  fetchModel(MODEL, {
    roots: [],
    cache,
    endpoint: server.endpoint,
    allowDownload: true,
    retryPauseMs: 0,
    ...options,
    onProgress: (progress) => {
      onProgress?.(progress);
      server.arrived(progress.file, progress.received);
    },
  });

const sameBytes = (a: string, b: string) => readFileSync(a).equals(readFileSync(b));

const repository = () => join(cache, 'models--someone--tiny-mamba');
const blobs = () => readdirSync(join(repository(), 'blobs'));

/** Nothing that a reader of the cache would take for a model. */
async function expectNoModel(): Promise<void> {
  expect(existsSync(join(repository(), 'snapshots'))).toBe(false);
  expect(existsSync(join(repository(), 'refs'))).toBe(false);
  expect(await listModels({ roots: [cache] })).toEqual([]);
}

describe('fetching a model', () => {
  it('downloads it into the cache layout of Hugging Face, once', async () => {
    const tokenizer = text({ version: '1.0' });
    const settings = text({ add_bos_token: false });
    const server = await serve(
      read(plainCase, 'config.json', 'model.safetensors')
        .set('tokenizer.json', tokenizer)
        .set('tokenizer_config.json', settings),
    );
    const { name, path } = await fetchFrom(server);
    expect(name).toBe(MODEL);
    expect(path).toBe(join(repository(), 'snapshots', server.commit));
    expect(readFileSync(join(repository(), 'refs', 'main'), 'utf8')).toBe(server.commit);
    const link = join(path, 'model.safetensors');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readlinkSync(link)).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(blobs().every((blob) => /^[0-9a-f]+$/.test(blob))).toBe(true);
    expect(sameBytes(link, join(plainCase, 'model.safetensors'))).toBe(true);
    expect((await loadCheckpoint(path)).tokenizerPath).toBe(join(path, 'tokenizer.json'));
    expect(new Uint8Array(readFileSync(join(path, 'tokenizer_config.json')))).toEqual(settings);
    expect((await listModels({ roots: [cache] })).map((listed) => listed.name)).toEqual([MODEL]);

    const { requests } = server;
    expect(await fetchFrom(server, { allowDownload: false })).toEqual({ name, path });
    expect(server.requests).toBe(requests);
  });

  it('downloads vocab.json and what belongs to it where there is no tokenizer.json', async () => {
    const files = read(plainCase, 'config.json', 'model.safetensors');
    const slow = ['vocab.json', 'merges.txt', 'special_tokens_map.json', 'added_tokens.json', 'tokenizer_config.json'];
    for (const name of slow) files.set(name, text({ of: name }));
    const server = await serve(files);
    expect(readdirSync((await fetchFrom(server)).path)).toEqual(expect.arrayContaining(slow));
  });

  it('tells how far it is', async () => {
    const server = await serve();
    const seen: DownloadProgress[] = [];
    await fetchFrom(server, { onProgress: (progress) => seen.push(progress) });
    const sizes = ['config.json', 'model.safetensors'].map((name) => lstatSync(join(plainCase, name)).size);
    expect(new Set(seen.map(({ totalSize }) => totalSize))).toEqual(new Set([sizes[0] + sizes[1]]));
    const totals = seen.map(({ totalReceived }) => totalReceived);
    expect(totals).toEqual([...totals].sort((a, b) => a - b));
    expect(seen.at(-1)).toEqual({
      file: 'config.json',
      received: sizes[0],
      size: sizes[0],
      totalReceived: sizes[0] + sizes[1],
      totalSize: sizes[0] + sizes[1],
    });
  });

  it('gets all shards of an index', async () => {
    const { tensors, config } = await loadCheckpoint(plainCase);
    const list = [...tensors].map(([name, { shape, data }]) => ({ name, shape, data }));
    const shards = { 'model-1.safetensors': list.slice(0, 5), 'model-2.safetensors': list.slice(5) };
    const files = read(plainCase, 'config.json');
    for (const [name, part] of Object.entries(shards)) files.set(name, encodeSafetensors(part));
    const map = Object.entries(shards).flatMap(([file, part]) => part.map(({ name }) => [name, file]));
    files.set('model.safetensors.index.json', text({ weight_map: Object.fromEntries(map) }));
    const server = await serve(files);
    const loaded = await loadCheckpoint((await fetchFrom(server)).path);
    expect(loaded.config).toEqual(config);
    for (const [name, { data }] of tensors)
      expect(Buffer.compare(bytesOf(loaded.tensors.get(name)?.data), bytesOf(data)), name).toBe(0);
    expect(server.downloads.length).toBe(4);
  });

  it('takes pytorch_model.bin where there is nothing else', async () => {
    const folder = join(cases, 'official-mamba2-defaults');
    const server = await serve(read(folder, 'config.json', 'pytorch_model.bin'));
    const loaded = await loadCheckpoint((await fetchFrom(server)).path);
    expect(loaded.config).toEqual((await loadCheckpoint(folder)).config);
  });

  it('completes a cached model that has its config alone', async () => {
    const server = await serve();
    const partial = join(repository(), 'snapshots', 'f'.repeat(40));
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, 'config.json'), readFileSync(join(plainCase, 'config.json')));
    await expect(fetchFrom(server, { allowDownload: false })).rejects.toThrow(/is not complete on this machine/);
    expect((await fetchFrom(server)).path).toBe(join(repository(), 'snapshots', server.commit));
  });

  it('follows a renamed repository', async () => {
    const { endpoint } = await serve();
    const { name, path } = await fetchModel(FORMER_NAME, { roots: [], cache, endpoint, allowDownload: true });
    expect(name).toBe(FORMER_NAME);
    expect((await loadCheckpoint(path)).config).toEqual((await loadCheckpoint(plainCase)).config);
  });

  it('shares one download between two callers', async () => {
    const server = await serve();
    const [first, second] = await Promise.all([fetchFrom(server), fetchFrom(server)]);
    expect(second).toEqual(first);
    expect(server.downloads).toEqual(['GET model.safetensors', 'GET config.json']);
  });
});

describe('a connection that is cut midway', () => {
  it('is resumed at the byte where it broke', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { cut: { after: 1000, times: 2 } });
    const { path } = await fetchFrom(server, { retries: 1 });
    expect(server.downloads).toEqual([
      'GET model.safetensors',
      expect.stringMatching(/^GET model\.safetensors bytes=1000-/),
      expect.stringMatching(/^GET model\.safetensors bytes=2000-/),
      'GET config.json',
    ]);
    expect(sameBytes(join(path, 'model.safetensors'), join(plainCase, 'model.safetensors'))).toBe(true);
  });

  it('is resumed by a later call after giving up', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { cut: { after: 700, times: 1 } });
    await expect(fetchFrom(server, { retries: 0 })).rejects.toThrow(
      /^The download failed: the connection .*try again\.$/,
    );
    await expectNoModel();
    await fetchFrom(server);
    expect(server.downloads[1]).toMatch(/^GET model\.safetensors bytes=700-/);
  });

  it('is told where the server knows no ranges', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { noRanges: true });
    await expect(fetchFrom(server)).rejects.toThrow(/sends files only as a whole/);
    await expectNoModel();
  });

  it('gives up after failures without progress, and waits out a busy server', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { busy: 3 });
    await expect(fetchFrom(server, { retries: 2 })).rejects.toThrow(/answered 503/);
    await expectNoModel();
    server.faults.set('model.safetensors', { busy: 2 });
    await fetchFrom(server, { retries: 2 });
  });

  it('can be given up on purpose', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { cut: { after: 1000, times: 100 } });
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error('enough'));
    await expect(fetchFrom(server, { signal: controller.signal, onProgress })).rejects.toThrow(/enough|abort/);
    await expectNoModel();
  });
});

describe('what goes wrong is told in one sentence, and nothing is left under a final name', () => {
  it.each(['model.safetensors', 'config.json'])('a wrong checksum of %s', async (name) => {
    const server = await serve();
    server.faults.set(name, { damaged: true });
    await expect(fetchFrom(server)).rejects.toThrow(
      new RegExp(
        `^The download of ${name.replace('.', '\\.')} is damaged \\(its checksum is .*nothing was kept, try again\\.$`,
      ),
    );
    await expectNoModel();
    expect(blobs().filter((blob) => blob.endsWith('.incomplete'))).toEqual([]);
    server.faults.clear();
    await loadCheckpoint((await fetchFrom(server)).path);
  });

  it('a partial file of other content', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { cut: { after: 700, times: 1 } });
    await fetchFrom(server, { retries: 0 }).catch(() => undefined);
    const [partial] = blobs();
    writeFileSync(join(repository(), 'blobs', partial), new Uint8Array(800));
    await expect(fetchFrom(server)).rejects.toThrow(/damaged/);
    await fetchFrom(server);
  });

  it('a model that the hub does not have', async () => {
    const server = await serve();
    const error = await fetchModel('someone/else', { roots: [], cache, allowDownload: true, endpoint: server.endpoint })
      .then(() => undefined)
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toBe(`${server.endpoint} has no public model someone/else: check the name.`);
  });

  it('a file that is listed and then refused', async () => {
    const server = await serve();
    server.faults.set('model.safetensors', { refused: true });
    await expect(fetchFrom(server)).rejects.toThrow(/^http\S+ refused someone\/tiny-mamba with status 403\.$/);
    await expectNoModel();
  });

  it('a repository without a config or without weights', async () => {
    const weightless = await serve(read(plainCase, 'config.json'));
    await expect(fetchFrom(weightless)).rejects.toThrow(/has no model\.safetensors and no pytorch_model\.bin/);
    await weightless.close();
    await expect(fetchFrom(await serve(read(plainCase, 'model.safetensors')))).rejects.toThrow(/with a config\.json/);
  });

  it('an index that names files elsewhere', async () => {
    const index = text({ weight_map: { a: '../../../evil.safetensors' } });
    const server = await serve(read(plainCase, 'config.json').set('model.safetensors.index.json', index));
    await expect(fetchFrom(server)).rejects.toThrow(/not an index of \.safetensors files beside it/);
    await expectNoModel();
  });

  it('a hub that is not there, or is no web address', async () => {
    const server = await serve();
    await server.close();
    await expect(fetchFrom(server, { retries: 1 })).rejects.toThrow(
      /connection to 127\.0\.0\.1:\d+ failed \(ECONNREFUSED\)/,
    );
    await expect(fetchFrom(server, { endpoint: 'nowhere' })).rejects.toThrow(
      /HF_ENDPOINT "nowhere" is not a web address/,
    );
  });

  it('downloading that is not allowed: no request is made', async () => {
    const server = await serve();
    vi.stubEnv('STATESCOPE_ALLOW_DOWNLOAD', '');
    await expect(fetchFrom(server, { allowDownload: undefined })).rejects.toThrow(
      `The model ${MODEL} is not on this machine and downloading is off: set STATESCOPE_ALLOW_DOWNLOAD=1 to get it from ${server.endpoint}, or choose a model that is here.`,
    );
    expect(server.requests).toBe(0);
    expect(readdirSync(cache)).toEqual([]);
  });

  it.each(['../../etc/passwd', 'a/../b', 'a/b/c', 'a--b/c', 'plain'])('the name %s', async (name) => {
    const server = await serve();
    const fetching = fetchModel(name, { roots: [], cache, endpoint: server.endpoint, allowDownload: true });
    await expect(fetching).rejects.toThrow(/There is no model/);
    expect(server.requests).toBe(0);
  });
});

it('follows HF_ENDPOINT, HF_HUB_CACHE and STATESCOPE_ALLOW_DOWNLOAD', async () => {
  const server = await serve();
  vi.stubEnv('HF_ENDPOINT', `${server.endpoint}/`);
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('STATESCOPE_ALLOW_DOWNLOAD', '1');
  const { path } = await fetchModel(MODEL, { roots: [] });
  expect(path.startsWith(repository())).toBe(true);
});
