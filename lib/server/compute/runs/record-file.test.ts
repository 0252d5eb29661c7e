import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomModel } from '@/lib/analysis/testing/randomModel';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { openDevice } from '@/lib/engine';
import { forwardInto } from './forward';
import type { ModelRecord } from './record';
import { readRecord, writeRecord } from './record-file';

describe('the file of one model of a run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'statescope-record-'));
    await openDevice({ device: 'cpu' });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  // Seeds choose the form of λ, subln and biases.
  const cases = BLOCK_KINDS.flatMap((kind) => [5, 6, 7, 8, 9].map((seed) => [kind, seed] as const));
  it.each(cases)('gives %s back as it was, with the settings of seed %i', async (kind, seed) => {
    const model = randomModel({ kinds: [kind, kind], seed, heads: 2, groups: 2, N: 3, K: 2 });
    const tokens = [3, 1, 4, 1, 5].map((id, i) => ({ id, text: `${id}`, start: i, end: i + 1 }));
    const request: ModelRecord['request'] = {
      name: model.name,
      tokens,
      position: 4,
      needle: null,
      target: tokens[0],
      candidates: [],
      entries: [],
      blocks: [],
      mapsReady: 0,
      signalReady: false,
      lensReady: false,
    };
    const record = { request, config: model.config, fingerprint: 'f', L: 5, residuals: [], blocks: [] };
    await forwardInto(record, model, {
      before: async () => undefined,
      computed: () => undefined,
      after: () => undefined,
    });
    model.dispose();
    const path = join(folder, `${kind}-${seed}.safetensors`);
    await writeRecord(path, record);
    const { request: asked, ...rest } = await readRecord(path);
    expect(rest).toEqual({
      config: record.config,
      fingerprint: 'f',
      L: 5,
      residuals: record.residuals,
      blocks: record.blocks,
    });
    expect(asked.tokens).toEqual(tokens);
  });
});
