import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cInterface } from './wheel.mjs';

const NAME = 'tensorflow_cpu-2.15.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
const wheel = Buffer.from(
  zipSync({
    'tensorflow/python/training.py': strToU8('not wanted'),
    'tensorflow/include/tensorflow/c/c_api.h': strToU8('the header'),
    'tensorflow/include/tsl/c/tsl_status.h': [strToU8('stored'), { level: 0 }],
    'tensorflow/libtensorflow_cc.so.2': new Uint8Array(300_000).map((_, i) => i % 251),
    'tensorflow/libtensorflow_framework.so.2': strToU8('framework'),
  }),
);
const sha256 = createHash('sha256').update(wheel).digest('hex');

describe('TensorFlow’s C interface from a package index', () => {
  let folder: string;
  let server: Server;
  let ranges: (string | undefined)[];
  let page: { type: string; body: string };
  const html = (sum: string) => ({
    type: 'text/html',
    body: `<a href="../../files/other-1.whl#sha256=${sum}">other</a><a href="../../files/${NAME}#sha256=${sum}">it</a>`,
  });
  const archive = () => join(folder, 'statescope', NAME);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'statescope-wheel-'));
    ranges = [];
    page = html(sha256);
    server = createServer(({ url, headers }, response) => {
      if (url === '/simple/tensorflow-cpu/') return response.setHeader('content-type', page.type).end(page.body);
      if (url !== `/files/${NAME}`) return response.writeHead(404).end();
      ranges.push(headers.range);
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200).end(wheel.subarray(from));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    process.env.PIP_INDEX_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`;
    process.env.XDG_CACHE_HOME = folder;
  });

  afterEach(() => {
    server.close();
    delete process.env.PIP_INDEX_URL;
    delete process.env.XDG_CACHE_HOME;
    rmSync(folder, { recursive: true });
  });

  it('is unpacked once, and nothing else of the wheel is kept', async () => {
    const found = await cInterface(false, () => {});
    expect(readFileSync(join(found.folder, 'include/tensorflow/c/c_api.h'), 'utf8')).toBe('the header');
    expect(readFileSync(join(found.folder, 'include/tsl/c/tsl_status.h'), 'utf8')).toBe('stored');
    expect(readFileSync(join(found.folder, 'lib/libtensorflow_cc.so.2'))[1000]).toBe(1000 % 251);
    expect(readdirSync(found.folder).sort()).toEqual(['include', 'lib']);
    expect(readdirSync(join(folder, 'statescope'))).toEqual(['tensorflow-cpu-2.15.1']);
    await cInterface(false, () => {});
    expect(ranges).toEqual([undefined]);
  });

  it('is found in an index that answers JSON', async () => {
    const files = [{ filename: NAME, url: `/files/${NAME}`, hashes: { sha256 } }];
    page = { type: 'application/vnd.pypi.simple.v1+json', body: JSON.stringify({ files }) };
    expect(existsSync((await cInterface(false, () => {})).folder)).toBe(true);
  });

  it('goes on from the end of a broken download', async () => {
    mkdirSync(join(folder, 'statescope'));
    writeFileSync(`${archive()}.part`, wheel.subarray(0, 1234));
    await cInterface(false, () => {});
    expect(ranges).toEqual(['bytes=1234-']);
  });

  it('is refused with a wrong checksum, and nothing is kept', async () => {
    page = html('0'.repeat(64));
    await expect(cInterface(false, () => {})).rejects.toThrow(/is damaged; nothing was kept/);
    expect(readdirSync(join(folder, 'statescope'))).toEqual([]);
  });

  it('is missing where the index has no such wheel', async () => {
    await expect(cInterface(true, () => {})).rejects.toThrow(/answered 404 for tensorflow|has no tensorflow-2\.15\.1/);
  });
});
