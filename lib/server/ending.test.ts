import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GenerationEvent, GenerationRequestSchema } from '@/lib/api/generation';
import { RunRequestSchema } from '@/lib/api/schemas';
import { lockFile } from './archive/places';
import { eventStream } from './event-stream';
import { Service } from './service';
import { makeWorkspace, request, type Workspace } from './testing/workspace';

process.env.STATESCOPE_DEVICE = 'cpu';

let workspace: Workspace;

beforeAll(async () => {
  workspace = await makeWorkspace();
});

afterAll(() => workspace.remove());

const open = () => new Service({ ...workspace.settings, dataFolder: join(workspace.root, 'data') });

const start = (service: Service, model: string) =>
  service.createRun(RunRequestSchema.parse(request({ models: [model] })));

const until = async (test: () => boolean) => {
  while (!test()) await new Promise((resolve) => setTimeout(resolve, 10));
};

const generation = GenerationRequestSchema.parse({ model: 'plain', prompt: 'Mary went to the', max_new_tokens: 1000 });

describe('a service that ends', () => {
  it('ends streams, keeps what is finished, gives the store back, and takes nothing new', async () => {
    const service = open();
    await service.archive.call('open', null);
    const running = await start(service, 'deep');
    await until(() => service.run(running.id).models[0].mapsReady > 2);
    const waiting = await start(service, 'plain');
    const told: GenerationEvent[] = [];
    (await service.generation(generation))((event) => told.push(event));
    const follow = (id: string) => eventStream((listener) => service.subscribe(id, listener), service.ended).text();
    const streams = [running, waiting].map(({ id }) => follow(id));

    const before = Date.now();
    const closing = service.close();
    await expect(start(service, 'plain')).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/ending/),
    });
    expect(await Promise.all([closing, service.close()])).toEqual([true, true]);
    expect(Date.now() - before).toBeLessThan(3000);

    for (const text of await Promise.all(streams)) expect(text.trim()).toMatch(/event: state\ndata: .*"cancelled".*$/);
    expect(told.at(-1)).toMatchObject({ event: 'state', data: { state: 'cancelled' } });
    expect(existsSync(lockFile(join(workspace.root, 'data')))).toBe(false);
    await expect(service.resumeRun(running.id)).rejects.toMatchObject({ status: 503 });
    await expect(service.models()).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/shutting down/),
    });

    const next = open();
    const { mapsReady } = (await next.recall(running.id)).models[0];
    expect(mapsReady).toBeGreaterThan(2);
    expect(next.run(running.id)).toMatchObject({ state: 'cancelled', available: true });
    await expect(next.read(running.id, 'map', { layer: mapsReady - 1 })).resolves.toBeInstanceOf(Uint8Array);
    expect(await next.recall(waiting.id)).toMatchObject({ state: 'interrupted', request: { models: ['plain'] } });
    await next.close();
  });

  it('ends a stream whose run does not stop in time, and resolves by its deadline', async () => {
    const service = open();
    const { id } = await start(service, 'deep');
    await until(() => service.run(id).models[0].mapsReady > 0);
    const stream = eventStream((listener) => service.subscribe(id, listener), service.ended).text();
    const before = Date.now();
    await service.close(1);
    expect(Date.now() - before).toBeLessThan(500);
    expect(await stream).toMatch(/^event: run\n/);
  });
});

describe('the queue', () => {
  it('holds no more than its limit, however many ask at once', async () => {
    const service = new Service(workspace.settings);
    const { id } = await start(service, 'deep');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, async () => (await service.generation(generation))(() => undefined)),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(100 - workspace.settings.queueLimit);
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { status: 503 } });
    expect(service.health().queue).toBe(1 + workspace.settings.queueLimit);
    service.cancelRun(id);
    await service.close();
  });
});
