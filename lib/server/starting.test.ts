import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunRequestSchema } from '@/lib/api/schemas';
import { ArchiveClient } from './archive/client';
import { Service } from './service';
import { makeWorkspace, request, type Workspace } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;
let service: Service;

beforeAll(async () => {
  workspace = await makeWorkspace({}, { measured: true });
});

afterAll(() => workspace.remove());

afterEach(async () => {
  vi.restoreAllMocks();
  await service.close();
});

function begin(folder: string) {
  service = new Service({ ...workspace.settings, dataFolder: join(workspace.root, folder) });
  service.start();
}

describe('a server that starts', () => {
  it('opens its archive before anybody asks for anything', () => {
    begin('opened');
    expect(service.health().archive.state).toBe('opening');
  });

  it('measures its device once the archive is open, and not beside it', async () => {
    let open: () => void = () => undefined;
    const opening = new Promise<void>((resolve) => {
      open = resolve;
    });
    vi.spyOn(ArchiveClient.prototype, 'open').mockReturnValue(opening);
    begin('measured');
    // The thread answers, and has nothing to do but to wait.
    await service.worker.call('forget', 'nothing');
    const estimate = service.estimate(RunRequestSchema.parse(request()));
    const first = await Promise.race([estimate, new Promise((resolve) => setTimeout(resolve, 2000, 'waits'))]);
    expect(first).toBe('waits');
    expect(service.health().status).toBe('starting');
    open();
    expect((await estimate).seconds).toBeGreaterThan(0);
    expect(service.health().status).toBe('ready');
  });
});
