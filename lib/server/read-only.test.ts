import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunRequestSchema } from '@/lib/api/schemas';
import { isFinal } from './book';
import { Service } from './service';
import { makeWorkspace, request } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

it('a read-only service shows what is kept and keeps nothing more', async () => {
  const workspace = await makeWorkspace();
  const settings = { ...workspace.settings, dataFolder: join(workspace.root, 'data') };
  const done = async (service: Service) => {
    const { id } = await service.createRun(RunRequestSchema.parse(request()));
    await expect.poll(() => isFinal(service.run(id)), { timeout: 60_000 }).toBe(true);
    return id;
  };
  const opened = async (readOnly: boolean) => {
    const service = new Service({ ...settings, readOnly });
    await service.archive.call('open', null);
    return service;
  };

  const writer = await opened(false);
  const kept = await done(writer);
  await expect.poll(() => writer.runs.isKept(kept)).toBe(true);
  await writer.close(20_000);

  const demo = await opened(true);
  expect(demo.health().readOnly).toBe(true);
  const shown = await done(demo);
  expect(demo.run(shown)).toMatchObject({ state: 'done', available: true });
  expect((await demo.listRuns()).runs.map(({ id, kept: onDisk }) => [id, onDisk])).toEqual([
    [shown, false],
    [kept, true],
  ]);
  expect((await demo.archive.call('list', null)).map(({ id }) => id)).toEqual([kept]);
  await demo.close(20_000);
  await workspace.remove();
});
