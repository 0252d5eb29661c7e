import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AllocationSchema } from '@/lib/api/readings';
import { RunRequestSchema } from '@/lib/api/schemas';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { OneThread } from '../../testing/one-thread';
import { makeWorkspace, read, request, type Workspace } from '../../testing/workspace';

/** Blocks that were run, and blocks whose reads were taken. */
const counted = vi.hoisted(() => ({ blocks: 0, rows: 0 }));

vi.mock('@/lib/models', async (original) => {
  const real = await original<typeof import('@/lib/models')>();
  const counting = <A extends unknown[]>(blocks: (...given: A) => ReturnType<Model['blocksOf']>) =>
    function* (...given: A): ReturnType<Model['blocksOf']> {
      const steps = blocks(...given);
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) return step.value;
        counted.blocks += 1;
        yield step.value;
      }
    };
  const createModel: typeof real.createModel = (...given) => {
    const model = real.createModel(...given);
    return { ...model, blocksOf: counting(model.blocksOf), blocksFrom: counting(model.blocksFrom) };
  };
  return { ...real, createModel };
});

vi.mock('@/lib/analysis', async (original) => {
  const real = await original<typeof import('@/lib/analysis')>();
  const keptReads: typeof real.keptReads = (...given) => {
    counted.rows += 1;
    return real.keptReads(...given);
  };
  return { ...real, keptReads };
});

let workspace: Workspace;
let computer: OneThread;

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  workspace = await makeWorkspace();
  computer = new OneThread(workspace.settings);
  const models = await computer.reader.answer(
    'prepare',
    RunRequestSchema.parse(request({ models: ['plain', 'diff'] })),
  );
  await computer.answer('run', { id: 'run', models, cancel: new Int32Array(1) });
});
afterAll(() => workspace.remove());

describe('allocation of a run', () => {
  it('comes of blocks that were counted', () => {
    expect(counted.blocks).toBe(4 + 3);
  });

  it('is of the run’s needle and target, layer by layer, and fits its schema', async () => {
    const found = await read(computer, 'run', 'allocation', { model: 1 });
    expect(AllocationSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
    expect(found.classes).toHaveLength(found.position + 1);
    expect(found.classes.at(-1)).toBe('self');
    expect(found.classes).toContain('needle');
    for (const layer of found.layers) {
      expect(layer.reconstruction_error).toBeLessThan(1e-3);
      const shares = Object.values(layer.net.norm_share).map((share) => share?.mean ?? 0);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
      expect(layer.branch_1 !== undefined).toBe(layer.differential);
    }
  });

  it('follows another needle, position, foil and other spans', async () => {
    const asked = {
      position: 5,
      needle: [1, 3] as const,
      competing: [
        [3, 4],
        [0, 1],
      ] as [number, number][],
      question: [[4, 5]] as [number, number][],
      foil: 2,
    };
    const found = await read(computer, 'run', 'allocation', asked);
    expect(found.classes).toEqual(['competing', 'needle', 'needle', 'competing', 'question', 'self']);
    expect(found.layers[0].tokens).toMatchObject({ needle: 2, filler: 0 });
    expect(found.layers[0].net.norm_share.filler).toBeNull();
  });

  it('scores an answer of several tokens whole, the run’s own or one that is asked, and says null of a single one', async () => {
    const single = await read(computer, 'run', 'allocation', { model: 1 });
    expect(single.answer).toBeNull();
    const answer = [5, 9, 7];
    const asked = await read(computer, 'run', 'allocation', { model: 1, position: 4, target: 5, answer });
    expect(asked.answer).toEqual(await read(computer, 'run', 'answer', { model: 1, position: 4, answer }));
    expect(asked.answer?.tokens).toHaveLength(3);
    const several = RunRequestSchema.parse(request({ models: ['plain'], target: 'kitchen garden' }));
    const models = await computer.reader.answer('prepare', several);
    await computer.answer('run', { id: 'several', models, cancel: new Int32Array(1) });
    const own = await read(computer, 'several', 'allocation', { model: 0 });
    expect(own.answer?.tokens.map(({ id }) => id)).toEqual(models[0].answer?.map(({ id }) => id));
    expect(own.answer?.logprob).toBeLessThan(own.answer?.tokens[0].logprob as number);
    // Another target than the run's has one token, as far as is known.
    expect((await read(computer, 'several', 'allocation', { model: 0, target: 5 })).answer).toBeNull();
    await expect(read(computer, 'run', 'allocation', { model: 1, answer: [5, 1e6] })).rejects.toMatchObject({
      status: 422,
    });
  });

  it.each([
    [{ needle: [40, 41] }, 422],
    [{ position: 4000 }, 422],
    [{ target: 100_000 }, 422],
    [{ foil: 100_000 }, 422],
  ] as const)('refuses %j', async (asked, status) => {
    await expect(read(computer, 'run', 'allocation', asked)).rejects.toMatchObject(
      status === 422 && 'needle' in asked ? { message: expect.stringContaining('is no span') } : { status },
    );
  });
});

describe('the needle against the context of a signal', () => {
  const asked = { model: 1, with: 'needle_against_context' } as const;

  it('is left out, and said so, where it is not asked for', async () => {
    const { needle_against_context: absent, target_prob: p } = await read(computer, 'run', 'signal', { model: 1 });
    expect(absent).toBeNull();
    expect(p).toHaveLength(5);
  });

  it('is that of the allocation, layer by layer', async () => {
    const { needle_against_context: shares } = await read(computer, 'run', 'signal', asked);
    const { layers } = await read(computer, 'run', 'allocation', { model: 1 });
    expect([shares?.[0], shares?.at(-1)]).toEqual([null, null]);
    for (const { layer, net } of layers)
      expect(shares?.[layer + 1]).toBeCloseTo(net.needle_against_context?.mean as number, 12);
  });
});

describe('a needle behind the token that is read', () => {
  it('has no share of what is read there', async () => {
    const query = {
      model: 1,
      position: 3,
      needle: [4, 6] as [number, number],
      with: 'needle_against_context',
    } as const;
    const { needle_against_context: shares } = await read(computer, 'run', 'signal', query);
    expect(shares).toHaveLength(5);
    expect(shares?.every((share) => share === null || Number.isNaN(share))).toBe(true);
  });
});

describe('work for a run that is there', () => {
  const question = { model: 1, needle: [1, 3] as [number, number], question: [[6, 8]] as [number, number][] };

  it('runs no block again, and reads each layer once for the signal and for allocations by any target', async () => {
    counted.blocks = 0;
    counted.rows = 0;
    await Promise.all([
      read(computer, 'run', 'allocation', question),
      read(computer, 'run', 'signal', { ...question, with: 'needle_against_context' }),
    ]);
    await read(computer, 'run', 'allocation', { ...question, target: 3, foil: 4 });
    expect(counted).toEqual({ blocks: 0, rows: 3 });
    await read(computer, 'run', 'allocation', { ...question, needle: [2, 4] });
    expect(counted).toEqual({ blocks: 0, rows: 6 });
  });

  it('reads nothing for a signal without it', async () => {
    counted.rows = 0;
    await read(computer, 'run', 'signal', { ...question, needle: [3, 4] });
    expect(counted).toEqual({ blocks: 0, rows: 0 });
  });
});
