import { describe, expect, it } from 'vitest';
import { encodeSafetensors } from '@/lib/safetensors';
import { ApiError, createClient } from './client';
import type { RunEvent } from './schemas';

type Answer = (url: string, init: RequestInit) => Response | Promise<Response>;

const clientOf = (answer: Answer) =>
  createClient({ baseUrl: 'http://host', fetch: async (url, init = {}) => answer(String(url), init) });

const stream = (...chunks: string[]) =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    }),
  );

const message = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Follows run 7 until it ends by itself, is refused, or `count` events have come. */
const follow = (answer: Answer, count = Number.POSITIVE_INFINITY) =>
  new Promise<{ events: RunEvent[]; errors: ApiError[] }>((resolve) => {
    const events: RunEvent[] = [];
    const errors: ApiError[] = [];
    const stop = clientOf(answer).subscribe(
      '7',
      (event) => {
        events.push(event);
        const ended = event.event === 'state' && event.data.state === 'done';
        if (!ended && events.length < count) return;
        stop();
        resolve({ events, errors });
      },
      (error) => {
        errors.push(error);
        if (error.status === 404) resolve({ events, errors });
      },
    );
  });

describe('createClient', () => {
  it('sends queries and leaves out what is not set', async () => {
    const urls: string[] = [];
    const client = clientOf((url) => {
      urls.push(url);
      return Response.json({ tokens: [{ id: 3, text: 'a b' }] });
    });
    expect(await client.vocabulary('some/model', 'a b')).toEqual({ tokens: [{ id: 3, text: 'a b' }] });
    await client.read('x/y', 'signal', { position: 4, needle: [2, 5] }).catch(() => undefined);
    expect(urls).toEqual([
      'http://host/api/vocabulary?model=some%2Fmodel&q=a+b',
      'http://host/api/runs/x%2Fy/signal?position=4&needle=2%2C5',
    ]);
  });

  it('rejects with what the server said', async () => {
    const client = clientOf(() => Response.json({ error: { message: 'No.', hint: 'Try.' } }, { status: 422 }));
    await expect(client.models()).rejects.toMatchObject({ message: 'No.', hint: 'Try.', status: 422 });
    for (const words of ['<h1>Bad gateway</h1>', 'null', '{"error":null}', '[]']) {
      const proxy = clientOf(() => new Response(words, { status: 502 }));
      await expect(proxy.models()).rejects.toMatchObject({ message: 'The server answered with status 502.' });
    }
  });

  it('says when nobody answers, and lets an abort through', async () => {
    const client = clientOf(() => Promise.reject(new TypeError('refused')));
    await expect(client.health()).rejects.toMatchObject({ status: 0, name: 'ApiError' });
    await expect(client.health(AbortSignal.abort())).rejects.toBeInstanceOf(TypeError);
  });

  it('decodes maps, thumbnails and lenses', async () => {
    const metadata = {
      form: 's6',
      reduce: 'mean',
      branch: 'diff',
      convention: 'c',
      reconstruction_error: '1e-7',
      max_abs: '2',
      memory_bytes: '4096',
      ms: '1.5',
    };
    const bodies: Record<string, Uint8Array<ArrayBuffer>> = {
      map: encodeSafetensors({ map: { shape: [2, 2], data: Float32Array.of(1, 0, 2, 1) } }, metadata),
      thumbnails: encodeSafetensors(
        { thumbnails: { shape: [2, 1, 1], data: Float32Array.of(5, 6) } },
        { form: 's6', reduce: 'mean', first: '0', layers: '2', size: '1' },
      ),
      lens: encodeSafetensors(
        {
          top_ids: { shape: [2, 1, 2], data: Int32Array.of(4, 3, 2, 1) },
          top_probs: { shape: [2, 1, 2], data: new Float32Array(4) },
          entropy: { shape: [2, 1], data: Float32Array.of(0.5, 0.25) },
        },
        { lens: 'logit', entries: 'embedding,final', target: '3' },
      ),
    };
    const client = clientOf((url) => new Response(bodies[new URL(url).pathname.split('/').pop() as string]));
    const map = await client.read('1', 'map', { layer: 0 });
    expect(map).toMatchObject({ L: 2, metadata: { reconstruction_error: 1e-7, max_abs: 2, branch: 'diff' } });
    expect([...map.data]).toEqual([1, 0, 2, 1]);
    const { layers, size } = await client.read('1', 'thumbnails', {});
    expect([size, ...layers.map((layer) => [...layer])]).toEqual([1, [5], [6]]);
    const lens = await client.read('1', 'lens', {});
    expect([lens.entries, lens.L, lens.k, [...lens.topIds]]).toEqual([['embedding', 'final'], 1, 2, [4, 3, 2, 1]]);
    expect(lens.statistics.entropy).toEqual(Float32Array.of(0.5, 0.25));
    expect(lens.statistics.snr_candidates).toBeUndefined();
  });
});

describe('subscribe', () => {
  it('reads events across chunk borders, skips comments and ends with the run', async () => {
    const text = `: here\n\n${message('layer', { model: 0, layer: 1, lambda: null, readout: [] })}${message('state', { state: 'done' })}`;
    const { events, errors } = await follow(() => stream(text.slice(0, 20), text.slice(20, 43), text.slice(43)));
    expect(events.map(({ event }) => event)).toEqual(['layer', 'state']);
    expect(errors).toEqual([]);
  });

  it('comes back after a lost connection', async () => {
    let calls = 0;
    const { events, errors } = await follow(() => {
      calls += 1;
      if (calls === 2) throw new TypeError('refused');
      return calls === 1 ? stream(message('signal', { model: 0 })) : stream(message('state', { state: 'done' }));
    });
    expect(events.map(({ event }) => event)).toEqual(['signal', 'state']);
    expect(errors.map(({ status }) => status)).toEqual([0]);
    expect(calls).toBe(3);
  });

  it('gives up when the run does not exist', async () => {
    let calls = 0;
    const { errors } = await follow(() => {
      calls += 1;
      return Response.json({ error: { message: 'There is no run 7.' } }, { status: 404 });
    });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(ApiError);
    expect(calls).toBe(1);
  });

  it('stops listening when asked', async () => {
    const { events } = await follow(() => stream(message('signal', { model: 0 }), message('signal', { model: 1 })), 1);
    expect(events).toHaveLength(1);
  });
});
