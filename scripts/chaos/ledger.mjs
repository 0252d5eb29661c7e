import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256 } from './world.mjs';

/** Everything that a server has promised to keep, and whether the promise holds. */
export class Ledger {
  #runs = new Map();
  #tensors = new Map();

  constructor(world) {
    this.world = world;
  }

  get size() {
    return this.#runs.size;
  }

  /** Takes down what the server says is kept: the numbers that can be read of it now. */
  async note(server) {
    const { json } = await server.get('/api/runs');
    for (const { id, kept } of json?.runs ?? []) {
      if (!kept || this.#runs.has(id)) continue;
      this.#runs.set(id, await digestOf(server, id));
      this.world.count('runs that were promised to be kept');
    }
  }

  /** The same for a finished analysis. */
  async noteAnalysis(server, id) {
    this.#tensors.set(id, sha256((await server.get(`/api/analyses/${id}/tensors`)).bytes));
  }

  /** Every promised run is listed, opens and has the numbers that it had. */
  async verify(server) {
    const { runs } = await server.list();
    for (const [id, digest] of this.#runs) {
      const listed = runs.find((run) => run.id === id);
      this.world.check('every run that was kept is still listed', listed?.kept, `run ${id} is gone or not kept`);
      const now = await digestOf(server, id);
      this.world.check('every run that was kept opens with the numbers it had', now === digest, `run ${id}: ${now}`);
    }
    for (const [id, digest] of this.#tensors) {
      const { status, bytes } = await server.get(`/api/analyses/${id}/tensors`);
      const same = status === 200 && sha256(bytes) === digest;
      this.world.check('every analysis that was kept has the numbers it had', same, `analysis ${id}: ${status}`);
    }
    this.world.count('kept runs read again', this.#runs.size);
  }
}

/** One digest of the maps of a run's first and last layers, read as the page reads them. */
async function digestOf(server, id) {
  const { json: run, status } = await server.get(`/api/runs/${id}`);
  if (status !== 200) return `${status} ${run?.error?.message}`;
  const parts = [];
  for (const [model, { blocks, mapsReady }] of run.models.entries())
    for (const layer of new Set(mapsReady > 0 ? [0, Math.min(mapsReady, blocks.length) - 1] : [])) {
      const map = await server.get(`/api/runs/${id}/map?model=${model}&layer=${layer}`);
      if (map.status !== 200) return `map ${model}.${layer}: ${map.status} ${map.json?.error?.message}`;
      parts.push(sha256(arraysOf(map.bytes)));
    }
  return parts.join(' ');
}

/** The numbers of a safetensors body, its header apart. */
const arraysOf = (bytes) => bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));

/** Files that are nobody's business but their owner's, and whether they are still what they were. */
export class Sentinels {
  #files = new Map();

  constructor(world) {
    this.world = world;
  }

  plant(path, content = `belongs to somebody else: ${path}\n`) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    this.#files.set(path, content);
  }

  verify() {
    for (const [path, content] of this.#files) {
      const same = existsSync(path) && readFileSync(path, 'utf8') === content;
      this.world.check('files of others are untouched', same, path);
    }
    this.world.count('files of others looked after', this.#files.size);
  }
}

/** Every file below a folder. */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Files of arrays that do not hold what their header says, or that a writer left half done. */
export function tornFiles(folder) {
  return filesBelow(folder).filter((path) => {
    if (/\.(part|partial-[\w.-]+|draft)$/.test(path)) return true;
    return path.endsWith('.safetensors') && !isWhole(path);
  });
}

function isWhole(path) {
  const bytes = readFileSync(path);
  if (bytes.length < 8) return false;
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  if (end > bytes.length) return false;
  try {
    const { __metadata__, ...tensors } = JSON.parse(bytes.subarray(8, end).toString());
    const size = Math.max(0, ...Object.values(tensors).map(({ data_offsets: [, last] }) => last));
    return statSync(path).size === end + size;
  } catch {
    return false;
  }
}
