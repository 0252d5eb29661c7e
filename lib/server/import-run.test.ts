import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AskedReading, ReadingName } from '@/lib/api/readings';
import { RunRequestSchema } from '@/lib/api/schemas';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { openDevice } from '@/lib/engine';
import { decodeSafetensors, encodeSafetensors } from '@/lib/safetensors';
import type { Computer } from './compute/computer';
import { importRun } from './import-run';
import { Service } from './service';
import { OneThread } from './testing/one-thread';
import { makeWorkspace, read, type Workspace } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

/** demo-diff-mamba2, computed by export_torch (python/tests/test_torch_export.py writes the same again). */
const FOLDER = 'lib/server/testing/elsewhere/e15e0001';
const ID = 'e15e0001';
const MODEL = 'demo-diff-mamba2';
const POSITION = 15;

/** Layers of attention and of Mamba-2, with MLPs: a reference case of Granite, computed by export_torch; without a tokenizer. */
const HYBRID = { folder: 'lib/server/testing/elsewhere/e15e0002', id: 'e15e0002', model: 'granite-rope' };
const HYBRID_CHECKPOINT = join('lib/models/testing/hybrids', HYBRID.model);

let workspace: Workspace;
let own: OneThread;

/** A computer with the run in its store. */
async function withRun(models: string[], weights: 'float32' | 'bf16' = 'float32'): Promise<Computer> {
  const root = mkdtempSync(join(workspace.root, 'root-'));
  mkdirSync(join(root, 'models'));
  for (const name of models) cpSync(join('models', name), join(root, 'models', MODEL), { recursive: true });
  const dataFolder = join(root, 'data');
  await importRun(FOLDER, dataFolder);
  return new OneThread({ ...workspace.settings, root, dataFolder, weights }, () => undefined);
}

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  const { run } = JSON.parse(readFileSync(join(FOLDER, 'run.json'), 'utf8'));
  own = new OneThread({ ...workspace.settings, root: process.cwd() }, () => undefined);
  const models = await own.reader.answer('prepare', RunRequestSchema.parse(run.request));
  await own.answer('run', { id: ID, models, cancel: new Int32Array(1) });
});
afterAll(() => workspace.remove());

async function numbers<N extends ReadingName>(computer: Computer, name: N, asked: AskedReading<N>, id = ID) {
  const body = await read(computer, id, name, asked as never);
  if (!(body instanceof Uint8Array)) return body;
  return Object.fromEntries(
    [...decodeSafetensors(body.buffer as ArrayBuffer).tensors].map(([key, { data }]) => [key, data]),
  );
}

/** Numbers within 1e-4 of the largest of their array, other values alike. */
function expectClose(found: unknown, wanted: unknown, where = ''): void {
  if (ArrayBuffer.isView(wanted) || (Array.isArray(wanted) && wanted.every((value) => typeof value === 'number'))) {
    const [a, b] = [found, wanted].map((each) => Array.from(each as ArrayLike<number>));
    expect(a.length, where).toBe(b.length);
    const size = Math.max(1e-3, ...b.filter(Number.isFinite).map(Math.abs));
    for (const [k, value] of b.entries())
      if (Number.isFinite(value)) expect(Math.abs(a[k] - value), `${where}.${k}`).toBeLessThan(1e-4 * size);
      else expect(a[k], `${where}.${k}`).toBe(value);
  } else if (typeof wanted === 'number') {
    // Errors are of rounding; what two branches have in common is a small difference of large squares.
    const tolerance = /error$/.test(where) ? 1 : /(cosine|removed|rejection_db)\b/.test(where) ? 5e-2 : 1e-4;
    expect(Math.abs((found as number) - wanted), where).toBeLessThan(tolerance * Math.max(1, Math.abs(wanted)));
  } else if (typeof wanted === 'object' && wanted !== null) {
    expect(Object.keys(found as object).sort(), where).toEqual(Object.keys(wanted).sort());
    for (const [key, value] of Object.entries(wanted))
      expectClose((found as Record<string, unknown>)[key], value, `${where}.${key}`);
  } else expect(found, where).toEqual(wanted);
}

type Question = { [N in ReadingName]: [N, AskedReading<N>] }[ReadingName];

const WITHOUT_WEIGHTS: Question[] = [
  ['map', { layer: 2 }],
  ['map', { layer: 1, branch: 'mixer_2', reduce: 'head:1' }],
  ['thumbnails', {}],
  ['tracks', { layer: 0 }],
  ['signal', { with: 'needle_against_context' }],
  ['signal', { position: 9 }],
  ['allocation', {}],
  ['allocation', { needle: [8, 9], competing: [[3, 4]], foil: 10 }],
];

const WITH_WEIGHTS: Question[] = [
  ['map', { layer: 2, form: 'norm' }],
  ['lens', { target: 9 }],
  ['signal', { target: 9 }],
  ['attribution', {}],
  ['channels', { layer: 1 }],
  ['allocation', { position: 9, needle: [2, 4] }],
];

/** The embedding, four blocks and the model's own output. */
const ENTRIES = 6;

describe('a run that was computed elsewhere', () => {
  it('is read as our own of the same weights, where the weights are not', async () => {
    const computer = await withRun([]);
    for (const [name, asked] of WITHOUT_WEIGHTS)
      expectClose(
        await numbers(computer, name, asked),
        await numbers(own, name, asked),
        `${name} ${JSON.stringify(asked)}`,
      );
  });

  it('has the lens of its target, tokens of equal probability in any order', async () => {
    const computer = await withRun([]);
    const [found, wanted] = [await numbers(computer, 'lens', {}), await numbers(own, 'lens', {})] as Record<
      string,
      Float32Array
    >[];
    const { top_ids: ids, ...statistics } = found;
    const { top_ids: expected, ...others } = wanted;
    expectClose(statistics, others);
    expect([...ids].filter((id, k) => id === expected[k]).length / ids.length).toBeGreaterThan(0.98);
  });

  it('has that lens at some tokens, as the page asks for what is in view', async () => {
    const computer = await withRun([]);
    const [some, all] = [await numbers(computer, 'lens', { positions: [9, 2] }), await numbers(computer, 'lens', {})];
    const { top_ids: ids, margin } = some as Record<string, Float32Array>;
    const whole = all as Record<string, Float32Array>;
    const L = whole.margin.length / ENTRIES;
    const k = whole.top_ids.length / whole.margin.length;
    for (let entry = 0; entry < ENTRIES; entry++)
      for (const [row, position] of [9, 2].entries()) {
        const [at, from] = [2 * entry + row, entry * L + position];
        expect(margin[at]).toBe(whole.margin[from]);
        expect([...ids.slice(at * k, (at + 1) * k)]).toEqual([...whole.top_ids.slice(from * k, (from + 1) * k)]);
      }
    expect(margin).toHaveLength(2 * ENTRIES);
  });

  it.each(WITH_WEIGHTS)(
    'says that it needs the weights for %s %j, and reads it where they are',
    async (name, asked) => {
      const words = /needs the weights of demo-diff-mamba2, which computed this run elsewhere \(torch/;
      const without = await withRun([]);
      await expect(numbers(without, name, asked as never)).rejects.toMatchObject({
        status: 409,
        message: expect.stringMatching(words),
        hint: expect.stringContaining(`allocation at token ${POSITION}`),
      });
      const computer = await withRun([MODEL]);
      expectClose(await numbers(computer, name, asked as never), await numbers(own, name, asked as never), name);
    },
  );

  it('is not read with another model of the same name, nor with rounded weights', async () => {
    const asked = ['map', { layer: 2, form: 'norm' }] as const;
    await expect(numbers(await withRun(['demo-mamba2']), ...asked)).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('its blocks are of other kinds or sizes'),
    });
    await expect(numbers(await withRun([MODEL], 'bf16'), ...asked)).rejects.toMatchObject({
      status: 409,
      message: expect.stringMatching(/its residual stream after layer 0 differs by [\d.]+ %/),
    });
  });

  it('has attention beside scans: readings of a hybrid equal our own, with and without its weights', async () => {
    const { folder, id, model } = HYBRID;
    const root = mkdtempSync(join(workspace.root, 'hybrid-'));
    cpSync(HYBRID_CHECKPOINT, join(root, 'models', model), { recursive: true });
    const { run } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    const asked = { ...run.models[0], mapsReady: 0, signalReady: false, lensReady: false };
    const here = new OneThread({ ...workspace.settings, root, dataFolder: join(root, 'own') }, () => undefined);
    await here.answer('run', { id, models: [asked], cancel: new Int32Array(1) });
    await importRun(folder, join(root, 'data'));
    const dataFolder = join(root, 'data');
    const without = new OneThread({ ...workspace.settings, root: join(root, 'none'), dataFolder }, () => undefined);
    const withWeights = new OneThread({ ...workspace.settings, root, dataFolder }, () => undefined);
    const questions: [Computer, Question][] = [
      [without, ['map', { layer: 0, form: 'softmax', reduce: 'head:1' }]],
      [without, ['map', { layer: 1, reduce: 'head:1' }]],
      [without, ['map', { layer: 3, form: 'softmax' }]],
      [without, ['thumbnails', {}]],
      [without, ['signal', { with: 'needle_against_context' }]],
      [without, ['allocation', {}]],
      [withWeights, ['map', { layer: 0, form: 'norm' }]],
      [withWeights, ['map', { layer: 1, form: 'logit' }]],
      [withWeights, ['attribution', {}]],
      [withWeights, ['lens', { target: 9 }]],
    ];
    for (const [computer, [name, query]] of questions)
      expectClose(
        await numbers(computer, name, query as never, id),
        await numbers(here, name, query as never, id),
        `${name} ${JSON.stringify(query)}`,
      );
  });

  it('is listed and opened by a server that runs, and imported once', async () => {
    const dataFolder = join(workspace.root, 'live');
    const service = new Service({ ...workspace.settings, dataFolder });
    try {
      await service.archive.call('open', null);
      await expect(service.archive.call('list', null)).resolves.toEqual([]);
      await expect(service.archive.call('get', ID)).resolves.toBeNull();
      expect(await importRun(FOLDER, dataFolder)).toBe(ID);
      const blocks = { label: 'Diff-Mamba-2', branches: ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'] };
      await expect(service.archive.call('get', ID)).resolves.toMatchObject({
        run: { id: ID, available: true, models: [{ blocks: Array(4).fill(blocks) }] },
      });
      await expect(service.archive.call('list', null)).resolves.toMatchObject([{ id: ID, state: 'done', kept: true }]);
      await expect(importRun(FOLDER, dataFolder)).rejects.toThrow(`Run ${ID} is in ${dataFolder} already.`);
      expect(readdirSync(dataFolder).filter((name) => name.startsWith('.import'))).toEqual([]);
    } finally {
      await Promise.all([service.worker.close(), service.archive.close()]);
    }
  });
});

describe('what is no run', () => {
  /** A copy of the run whose header says something else. */
  function changed(change: (structure: Record<string, never>, run: Record<string, never>) => void): string {
    const folder = join(mkdtempSync(join(workspace.root, 'bad-')), ID);
    cpSync(FOLDER, folder, { recursive: true });
    const path = join(folder, 'model-0.safetensors');
    const bytes = readFileSync(path);
    const size = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + size).toString('utf8'));
    const structure = JSON.parse(header.__metadata__.structure);
    const stored = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    change(structure, stored.run);
    header.__metadata__.structure = JSON.stringify(structure);
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(path, Buffer.concat([length, text, bytes.subarray(8 + size)]));
    writeFileSync(join(folder, 'run.json'), JSON.stringify(stored));
    return folder;
  }

  // biome-ignore lint/suspicious/noExplicitAny: parts of a file that are changed by hand
  const cases: [string, (structure: any, run: any) => void, RegExp][] = [
    [
      'a run that would be shown as computing for ever',
      (_, run) => {
        run.state = 'running';
      },
      /has not ended \(running\)/,
    ],
    [
      'a run of no model',
      (_, run) => {
        run.models = [];
      },
      /names no model/,
    ],
    [
      'a scan of other sizes',
      (s) => {
        s.blocks[1].scans.$map[0][1].N = 31;
      },
      /blocks.1.scans.mixer_1 has other sizes/,
    ],
    [
      'an array that is not there',
      (s) => {
        s.residuals[0].$array = 'nothing';
      },
      /lacks the array nothing/,
    ],
    [
      'a lens of another token',
      (s) => {
        s.elsewhere.lens.target = 3;
      },
      /a lens of token 3, not of 12/,
    ],
    [
      'a token outside the vocabulary',
      (s) => {
        s.elsewhere.lens.candidates[0] = 999;
      },
      /token 999, but a vocabulary of 73/,
    ],
    [
      'reads of another token',
      (s) => {
        s.elsewhere.reads.position = 3;
      },
      /elsewhere.reads.blocks.0 has other sizes/,
    ],
    [
      'statistics of another shape',
      (s) => {
        s.elsewhere.lens.statistics.margin = s.residuals[0];
      },
      /elsewhere.lens.margin has \d+ values, not 96/,
    ],
    [
      'a branch too few',
      (s) => {
        delete s.elsewhere.reads.blocks[2].second;
      },
      /reads of block 2 of another kind/,
    ],
    [
      'another prompt',
      (_, run) => {
        run.models[0].tokens[0].id = 4;
      },
      /holds another run than the one/,
    ],
    [
      'a state that is none',
      (_, run) => {
        run.state = 'fine';
      },
      /run.json cannot be read: run.state/,
    ],
    [
      'a λ that is no number',
      (s) => {
        s.blocks[1].lambda = { $number: 'NaN' };
      },
      /its number blocks\.1\.lambda is NaN/,
    ],
    [
      'a model that has no arrays',
      (_, run) => {
        run.models.push(run.models[0]);
      },
      /The arrays of demo-diff-mamba2 are missing/,
    ],
    [
      'an id that is a path',
      (_, run) => {
        run.id = '../../x';
      },
      /^$/,
    ],
  ];

  it.each(cases)('%s is refused with a sentence', async (_, change, words) => {
    const store = mkdtempSync(join(tmpdir(), 'statescope-store-'));
    const folder = changed(change);
    try {
      // The folder's own name is an id.
      if (words.source === '^$') return expect(await importRun(folder, store)).toBe(ID);
      await expect(importRun(folder, store)).rejects.toThrow(words);
      expect(readdirSync(store)).toEqual([]);
    } finally {
      rmSync(store, { recursive: true });
    }
  });

  type Arrays = Map<string, { shape: number[]; data: Float32Array | Int32Array }>;

  /** A copy of the run whose arrays are others. */
  async function withArrays(change: (arrays: Arrays) => void): Promise<string> {
    const folder = changed(() => undefined);
    const path = join(folder, 'model-0.safetensors');
    const { metadata } = decodeSafetensors(new Uint8Array(readFileSync(path)).buffer);
    const arrays: Arrays = new Map();
    for (const [name, { shape, data }] of await readSafetensors(path))
      arrays.set(name, { shape: [...shape], data: data as Float32Array });
    change(arrays);
    writeFileSync(path, encodeSafetensors(Object.fromEntries(arrays), metadata));
    return folder;
  }

  const at = (arrays: Arrays, name: string) => {
    const found = arrays.get(name);
    if (!found) throw new Error(`The run has no array ${name}.`);
    return found;
  };
  const damages: [string, (arrays: Arrays) => void, RegExp][] = [
    [
      'turned by a quarter',
      (arrays) => at(arrays, 'blocks.1.scans.mixer_1.x').shape.reverse(),
      /array blocks\.1\.scans\.mixer_1\.x is \[128, 16\], but the first dimension counts 16 tokens\./,
    ],
    [
      'too short',
      (arrays) => {
        const array = at(arrays, 'residuals.2');
        array.data = array.data.slice(128);
        array.shape = [15, 128];
      },
      /residuals\.2 has 1920 values, not 16 × 128/,
    ],
    [
      'integers for floats',
      (arrays) => {
        const array = at(arrays, 'blocks.0.out');
        array.data = Int32Array.from(array.data);
      },
      /array blocks\.0\.out is of the type I32, not F32\./,
    ],
    [
      'NaN in a scan',
      (arrays) => {
        at(arrays, 'blocks.2.scans.mixer_2.delta').data[3] = Number.NaN;
      },
      /array blocks\.2\.scans\.mixer_2\.delta holds 1 number that is NaN or infinite/,
    ],
    [
      'infinity in what the lens says',
      (arrays) => at(arrays, 'elsewhere.lens.statistics.margin').data.fill(Number.POSITIVE_INFINITY),
      /array elsewhere\.lens\.statistics\.margin holds 96 numbers that are NaN or infinite/,
    ],
    ['one too few', (arrays) => arrays.delete('residuals.1'), /lacks the array residuals\.1\./],
    [
      'one too many',
      (arrays) => arrays.set('residuals.9', at(arrays, 'residuals.0')),
      /holds an array residuals\.9 that is no part of the run/,
    ],
  ];
  it.each(damages)('arrays are looked at: %s', async (_, change, words) => {
    const store = mkdtempSync(join(tmpdir(), 'statescope-store-'));
    const folder = await withArrays(change);
    try {
      await expect(importRun(folder, store)).rejects.toThrow(words);
      expect(readdirSync(store)).toEqual([]);
    } finally {
      rmSync(store, { recursive: true });
    }
  });

  it('arrays are looked at: those of one candidate have no signal-to-noise ratio, which is no damage', async () => {
    const store = mkdtempSync(join(tmpdir(), 'statescope-store-'));
    const folder = await withArrays((arrays) =>
      at(arrays, 'elsewhere.lens.statistics.snr_candidates').data.fill(Number.NaN),
    );
    expect(await importRun(folder, store)).toBe(ID);
    rmSync(store, { recursive: true });
  });

  it('a folder without a run, a store that is none', async () => {
    await expect(importRun(workspace.root, join(workspace.root, 'none'))).rejects.toThrow('is no folder of a run');
    await expect(importRun(FOLDER, process.cwd())).rejects.toThrow('Set STATESCOPE_DATA');
  });
});
