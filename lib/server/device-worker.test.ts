import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceWorker } from './device-worker';
import { ServiceError } from './errors';
import { readSettings } from './settings';

const READY = "parentPort.postMessage({ kind: 'ready', device: { name: 'cpu', description: '', threads: 1 } });";
const ECHO = "parentPort.postMessage({ kind: 'result', call: message.call, result: message.argument });";

const open: { worker: DeviceWorker; root: string }[] = [];

afterEach(async () => {
  for (const { worker, root } of open.splice(0)) {
    await worker.close();
    await rm(root, { recursive: true });
  }
});

/** Answers what a thread asks of a tokenizer. */
function asked(method: string): unknown {
  if (method === 'encodeWithin') return { ids: [1], tokens: [] };
  throw new ServiceError(422, 'No such word.', 'Another.');
}

/** A handle over a worker whose whole program is `source`; without one there is no bundle. */
async function workerOf(source?: string, stepSeconds = 600) {
  const root = await mkdtemp(join(tmpdir(), 'statescope-worker-'));
  if (source !== undefined) {
    await mkdir(join(root, 'dist'));
    await writeFile(join(root, 'dist', 'worker.mjs'), `import { parentPort } from 'node:worker_threads';\n${source}`);
  }
  const crashes: string[] = [];
  const worker = new DeviceWorker(
    { ...readSettings(), root, stepSeconds },
    {
      onUpdate: () => undefined,
      onAnalysis: () => undefined,
      onToken: () => undefined,
      onReleased: () => undefined,
      onAsk: async ({ method }) => asked(method),
      onLoaded: () => undefined,
      onObserved: () => undefined,
      onCrash: (reason) => crashes.push(reason),
    },
  );
  open.push({ worker, root });
  return { worker, crashes };
}

const call = (worker: DeviceWorker, q: string) => worker.call('forget', q);

describe('DeviceWorker', () => {
  it('matches answers to calls', async () => {
    const { worker } = await workerOf(`${READY} parentPort.on('message', (message) => {
      setTimeout(() => { ${ECHO} }, message.argument === 'slow' ? 30 : 0);
    });`);
    const answers = await Promise.all(['slow', 'fast'].map((q) => call(worker, q)));
    expect(answers).toEqual(['slow', 'fast']);
    expect(worker).toMatchObject({ status: 'ready', device: { name: 'cpu' } });
  });

  it('asks tokenizers for a thread, and tells it what they refuse', async () => {
    const { worker } = await workerOf(`${READY} const answers = [];
    let call;
    parentPort.on('message', (message) => {
      if (message.kind === 'answer') {
        answers.push(message);
        if (answers.length === 2) parentPort.postMessage({ kind: 'result', call, result: answers });
        return;
      }
      call = message.call;
      for (const [i, method] of ['encodeWithin', 'answerTokens'].entries())
        parentPort.postMessage({ kind: 'ask', ask: i, method, argument: {} });
    });`);
    expect(await call(worker, '')).toEqual([
      { kind: 'answer', ask: 0, result: { ids: [1], tokens: [] } },
      { kind: 'answer', ask: 1, refusal: { status: 422, message: 'No such word.', hint: 'Another.' } },
    ]);
  });

  it('passes a refusal on with status and hint', async () => {
    const { worker } = await workerOf(`${READY} parentPort.on('message', ({ call }) =>
      parentPort.postMessage({ kind: 'refusal', call, refusal: { status: 422, message: 'No.', hint: 'Try.' } }));`);
    await expect(call(worker, '')).rejects.toMatchObject({ status: 422, message: 'No.', hint: 'Try.' });
  });

  it('refuses what a dying thread has not answered, and starts it again', async () => {
    const { worker, crashes } = await workerOf(`${READY} parentPort.on('message', (message) => {
      if (message.argument === 'die') throw new Error('out of luck');
      ${ECHO}
    });`);
    await call(worker, 'live');
    await expect(call(worker, 'die')).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/out of luck.*started again/),
    });
    expect(crashes).toEqual(['The computing thread stopped unexpectedly (out of luck).']);
    expect(await call(worker, 'live')).toBe('live');
  });

  it('ends a thread that is stuck, starts another, and says so', async () => {
    const { worker, crashes } = await workerOf(
      `import { workerData } from 'node:worker_threads';
      setInterval(() => Atomics.add(workerData.beat, 0, 1), 20);
      ${READY} parentPort.on('message', (message) => {
        if (message.argument === 'stick') for (;;);
        ${ECHO}
      });`,
      2,
    );
    await call(worker, 'live');
    // Time enough for one that shows itself.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(crashes).toEqual([]);
    const reason = /did not get from one step to the next in 2 s and was ended/;
    await expect(call(worker, 'stick')).rejects.toMatchObject({ status: 503, message: expect.stringMatching(reason) });
    expect(await call(worker, 'live')).toBe('live');
    expect(worker.restarts).toEqual({ count: 1, at: expect.any(Number), reason: expect.stringMatching(reason) });
    expect(crashes).toHaveLength(1);
  });

  it('gives up after three deaths in a row, and says why', async () => {
    const { worker, crashes } = await workerOf("throw new Error('broken add-on');");
    await expect(call(worker, '')).rejects.toMatchObject({ status: 503 });
    while (worker.status !== 'failed') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(crashes).toHaveLength(3);
    expect(worker.error).toMatch(/broken add-on.*3 attempts/);
    await expect(call(worker, '')).rejects.toMatchObject({ status: 503, message: worker.error });
    expect(crashes).toHaveLength(3);
  });

  it('stays down when no device can be opened', async () => {
    const { worker } = await workerOf("parentPort.postMessage({ kind: 'unusable', message: 'No device.' });");
    await expect(call(worker, '')).rejects.toMatchObject({ status: 503, message: 'No device.' });
    expect(worker.status).toBe('failed');
  });

  it('says when the worker was not built', async () => {
    const { worker } = await workerOf();
    await expect(call(worker, '')).rejects.toMatchObject({ status: 503, message: expect.stringMatching(/not built/) });
  });
});
