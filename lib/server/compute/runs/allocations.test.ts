import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AllocationSchema } from '@/lib/api/readings';
import { RunRequestSchema } from '@/lib/api/schemas';
import { openDevice } from '@/lib/engine';
import { OneThread } from '../../testing/one-thread';
import { makeWorkspace, read, request, type Workspace } from '../../testing/workspace';

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
