import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AskedReading, MapMetadataSchema, RolloutMetadataSchema } from '@/lib/api/readings';
import { type BlockSummary, BlockSummarySchema, RunRequestSchema } from '@/lib/api/schemas';
import { loadCheckpoint } from '@/lib/checkpoint';
import { tokenizerJson, UNKNOWN } from '@/lib/data/word-tokenizer';
import { openDevice } from '@/lib/engine';
import { hybridCases } from '@/lib/models/testing/hybrids';
import { decodeSafetensors } from '@/lib/safetensors';
import { FORMS, type Form } from '@/lib/vocabulary';
import { OneThread } from '../../testing/one-thread';
import { makeWorkspace, PROMPT, read, request, type Workspace } from '../../testing/workspace';
import { blockSummary } from './branches';

const WORDS = [UNKNOWN, ...new Set(PROMPT.match(/\w+|[^\w\s]+/g)), 'office'];

let workspace: Workspace;
beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  for (const { name, folder } of hybridCases()) {
    const target = join(workspace.root, 'models', name);
    await cp(folder, target, { recursive: true });
    await writeFile(join(target, 'tokenizer.json'), JSON.stringify(tokenizerJson(WORDS)));
  }
});
afterAll(() => workspace.remove());

describe.each(hybridCases())('a run of $name', ({ name, folder }) => {
  let computer: OneThread;
  let blocks: BlockSummary[];
  beforeAll(async () => {
    computer = new OneThread(workspace.settings);
    const models = await computer.reader.answer('prepare', RunRequestSchema.parse(request({ models: [name] })));
    await computer.answer('run', { id: 'run', models, cancel: new Int32Array(1) });
    const { config } = await loadCheckpoint(folder);
    blocks = config.blocks.map((block) => BlockSummarySchema.parse(blockSummary(block)));
  });

  const map = async (query: AskedReading<'map'>) => {
    const { tensors, metadata } = decodeSafetensors((await read(computer, 'run', 'map', query)).buffer);
    return { data: tensors.get('map')?.data as Float32Array, metadata: MapMetadataSchema.parse(metadata) };
  };

  /** The branches that a layer says it has in a form. */
  const branchesIn = ({ branches, softmax = [], exact = branches }: BlockSummary, form: Form) => {
    if (form === 'softmax') return softmax;
    if (form === 's6') return branches.filter((branch) => !softmax.includes(branch));
    return form === 'block' ? branches : exact;
  };

  it('has maps of every layer in the forms and branches that the layer says, and refuses others in a sentence', async () => {
    for (const [layer, block] of blocks.entries())
      for (const form of FORMS) {
        const own = branchesIn(block, form);
        for (const branch of own) {
          const { data, metadata } = await map({ layer, form, branch });
          expect(metadata).toMatchObject({ form, branch });
          expect(metadata.reconstruction_error).toBeLessThan(1e-4);
          expect(data.some((value) => value !== 0)).toBe(true);
        }
        if (own.length > 0) expect((await map({ layer, form })).metadata.branch).toBe(own.at(-1));
        else
          await expect(map({ layer, form })).rejects.toMatchObject({ status: 422, hint: expect.stringMatching(/\.$/) });
      }
  });

  it('has thumbnails of all layers, empty where a layer reads nothing', async () => {
    const { tensors } = decodeSafetensors((await read(computer, 'run', 'thumbnails', { size: 8 })).buffer);
    const { data, shape } = tensors.get('thumbnails') as { data: Float32Array; shape: number[] };
    const size = shape[1] * shape[2];
    blocks.forEach(({ branches }, layer) => {
      const shown = data.subarray(layer * size, (layer + 1) * size).some((value) => value !== 0);
      expect(shown).toBe(branches.length > 0);
    });
  });

  it('answers the lens, allocation, attribution, statistics and tracks, or says why a layer has none', async () => {
    await read(computer, 'run', 'lens', {});
    await read(computer, 'run', 'allocation', {});
    const attribution = await read(computer, 'run', 'attribution', {});
    expect(attribution.reconstruction_error).toBeLessThan(1e-4);
    for (const [layer, { branches, softmax = [] }] of blocks.entries()) {
      const hasScan = branches.length > 0 && !softmax.includes('single');
      for (const reading of ['channels', 'tracks'] as const) {
        const answer = read(computer, 'run', reading, { layer });
        if (hasScan) await answer;
        else await expect(answer).rejects.toThrow(/has no recurrence/);
      }
    }
  });

  it('has rollouts, except of maps that have no common scale', async () => {
    const parallel = blocks.some(({ branches }) => branches.includes('attention'));
    for (const method of ['norm', 'alti', 'plain', 'attribution', 'attribution_code'] as const) {
      const answer = read(computer, 'run', 'rollout', { method });
      if (parallel && (method === 'plain' || method === 'attribution_code'))
        await expect(answer).rejects.toThrow(/no common scale/);
      else RolloutMetadataSchema.parse(decodeSafetensors((await answer).buffer).metadata);
    }
  });
});
