import { once } from 'node:events';
import { request as ask, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { listen } from './listen';
import { type Door, makeDoor } from './server';
import { type DoorSettings, readDoorSettings } from './settings';

let doors: Door[] = [];
let sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const { server } of doors) server.close().closeAllConnections();
  doors = [];
  sockets = [];
});

/** A door before a house that says hello, and leaves event streams open. */
async function opened(settings: Partial<DoorSettings> = {}, room = 20): Promise<number> {
  const door = makeDoor(
    { ...readDoorSettings({}), ...settings },
    {
      request: (request, response) => {
        response.setHeader('Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'");
        response.setHeader('X-Frame-Options', 'DENY');
        if (request.url?.endsWith('/events')) response.writeHead(200).write('event: run\n\n');
        else if (request.method === 'POST')
          request.resume().on('end', () => setTimeout(() => response.end('hello'), 50));
        else response.end('hello');
      },
      room: () => room,
    },
  );
  doors.push(door);
  await once(door.server.listen(0, '127.0.0.1'), 'listening');
  return (door.server.address() as AddressInfo).port;
}

async function get(port: number, path = '/', options: { method?: string; headers?: Record<string, string> } = {}) {
  const [answer] = (await once(ask({ host: '127.0.0.1', port, path, ...options }).end(), 'response')) as [
    IncomingMessage,
  ];
  return answer;
}

/** Sends the bytes and leaves it at that. @returns seconds until the server has closed, and what it said. */
async function sent(port: number, bytes: string): Promise<{ seconds: number; said: string }> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const begun = Date.now();
  socket.write(bytes);
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  await once(socket, 'close');
  return { seconds: (Date.now() - begun) / 1000, said };
}

describe('a door', () => {
  it('answers programs with JSON and browsers with a page', async () => {
    const port = await opened({ token: 'correct-horse-battery' });
    const program = await get(port, '/api/runs');
    expect(program.statusCode).toBe(401);
    expect(program.headers['www-authenticate']).toBe('Bearer realm="Statescope"');
    expect(JSON.parse(await text(program))).toEqual({
      error: { message: 'This server asks for a token.', hint: expect.stringContaining('printed at its start') },
    });
    const browser = await get(port, '/', { headers: { accept: 'text/html,*/*' } });
    expect(browser.statusCode).toBe(401);
    expect(browser.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(await text(browser)).toContain('<input name="token"');
  });

  it('goes on without the token: by a redirect, or by a page of its own after a link elsewhere', async () => {
    const port = await opened({ token: 'correct-horse-battery' });
    const link = '/runs?token=correct-horse-battery&a=%22%3E';
    const direct = await get(port, link, { headers: { 'sec-fetch-site': 'none' } });
    expect([direct.statusCode, direct.headers.location]).toEqual([303, '/runs?a=%22%3E']);
    expect(direct.headers['set-cookie']?.[0]).toMatch(/^statescope-3000=.*HttpOnly; SameSite=Strict$/);
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const linked = await get(port, link, { headers });
    expect(linked.headers['set-cookie']?.[0]).toBe(direct.headers['set-cookie']?.[0]);
    expect(await text(linked)).toContain('content="0; url=/runs?a=%22%3E"');
  });

  it('says which methods it knows', async () => {
    const answer = await get(await opened(), '/api/runs', { method: 'TRACE' });
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST, PATCH, DELETE, OPTIONS']);
  });

  it('lets no more requests for work in at a time than can find a place, and others all the same', async () => {
    const port = await opened({}, 3);
    const post = (path: string) => get(port, path, { method: 'POST' });
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, k) => post(k % 2 ? '/api/runs' : '/api/analyses')),
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 200, 200, ...Array(7).fill(503)]);
    const refused = answers.find(({ statusCode }) => statusCode === 503) as IncomingMessage;
    expect(JSON.parse(await text(refused)).error).toEqual({
      message: 'As many runs and analyses are waiting as may wait.',
      hint: expect.stringContaining('try again'),
    });
    await Promise.all(
      [get(port, '/api/runs'), post('/api/tokenize')].map(async (one) => expect((await one).statusCode).toBe(200)),
    );
    expect((await post('/api/runs')).statusCode).toBe(200);
    // Requests that never end take no place.
    for (let k = 0; k < 5; k++) {
      const half = connect(port, '127.0.0.1');
      sockets.push(half);
      half.write('POST /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"a"');
      await once(half, 'connect');
    }
    await sleep(100);
    expect((await post('/api/runs')).statusCode).toBe(200);
    const full = await opened({}, 0);
    expect((await get(full, '/api/runs', { method: 'POST' })).statusCode).toBe(503);
  });

  it('holds so many event streams of one client, and takes another when one has gone', async () => {
    const port = await opened();
    const streams = await Promise.all(Array.from({ length: 64 }, () => get(port, '/api/runs/1/events')));
    expect(streams.every(({ statusCode }) => statusCode === 200)).toBe(true);
    const full = await get(port, '/api/runs/1/events');
    expect(full.statusCode).toBe(429);
    expect(JSON.parse(await text(full)).error.message).toBe('64 event streams are open from here already.');
    expect((await get(port, '/api/runs')).statusCode).toBe(200);
    streams[0].destroy();
    await expect.poll(async () => (await get(port, '/api/runs/1/events')).statusCode).toBe(200);
  });

  it('holds so many event streams of all clients, told apart by a trusted proxy', async () => {
    const from = (client: number) => ({ headers: { 'x-forwarded-for': `198.51.100.9, 192.0.2.${client}` } });
    const port = await opened({ trustProxy: true });
    for (let client = 0; client < 4; client++) {
      const open = Array.from({ length: 64 }, () => get(port, '/api/runs/1/events', from(client)));
      expect((await Promise.all(open)).every(({ statusCode }) => statusCode === 200)).toBe(true);
    }
    expect((await get(port, '/api/runs/1/events', from(4))).statusCode).toBe(503);
    expect((await get(port, '/api/generate', from(0))).statusCode).toBe(429);
  });

  it('believes no client that names itself', async () => {
    const port = await opened();
    const asked = Array.from({ length: 65 }, (_, i) =>
      get(port, '/api/runs/1/events', { headers: { 'x-forwarded-for': `192.0.2.${i}` } }),
    );
    const statuses = (await Promise.all(asked)).map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  });

  it('closes requests that are not sent to their end', async () => {
    const port = await opened();
    const ends = await Promise.all([
      sent(port, ''),
      sent(port, 'GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-'),
      sent(port, 'POST /api/unread HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{'),
    ]);
    for (const { seconds } of ends) expect(seconds).toBeLessThan(20);
    expect(ends[1].said).toContain('408');
  });

  it('reads headers up to 16 KiB', async () => {
    const port = await opened();
    const { said } = await sent(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(said).toContain('431');
  });

  it('takes nobody new once it closes, and refuses who is connected already', async () => {
    const port = await opened();
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    await get(port);
    doors[0].close();
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 503 [\s\S]*The server is ending\./);
    await expect(get(port)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('listening', () => {
  it('says in a sentence what is wrong with port or host', async () => {
    const port = await opened();
    const failed = (settings: Partial<DoorSettings>) => {
      const all = { ...readDoorSettings({}), ...settings };
      return expect(listen(makeDoor(all, { request: () => undefined, room: () => 1 }).server, all)).rejects;
    };
    await failed({ port }).toThrow(`Port ${port} of 127.0.0.1 is taken`);
    await failed({ host: '192.0.2.77', port: 0 }).toThrow('which is not an address of this machine.');
    await failed({ host: 'no-such-host.invalid', port: 0 }).toThrow('which is no known name');
  });
});

describe('frames', () => {
  it('are for nobody, or for the origins that the server was told of', async () => {
    const closed = await get(await opened());
    expect(closed.headers).toMatchObject({ 'x-frame-options': 'DENY' });
    expect(closed.headers['content-security-policy']).toBe("default-src 'self'; frame-ancestors 'none'");
    const shown = await get(await opened({ framedBy: ['http://localhost:*'] }));
    expect(shown.headers['x-frame-options']).toBeUndefined();
    expect(shown.headers['content-security-policy']).toBe("default-src 'self'; frame-ancestors http://localhost:*");
  });
});
