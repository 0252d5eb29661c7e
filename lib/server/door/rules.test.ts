import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Asked, judge, type Verdict } from './rules';
import { type DoorSettings, readDoorSettings } from './settings';
import { cookieName, setCookie } from './token';

const TOKEN = 'correct-horse-battery';
const local = readDoorSettings({ PORT: '3211' });
const opened = readDoorSettings({
  PORT: '3211',
  STATESCOPE_HOST: '0.0.0.0',
  STATESCOPE_TOKEN: TOKEN,
  STATESCOPE_ALLOWED_HOSTS: 'lab.example.org',
});

interface Sent {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Asked['headers'];
}

const ask = (door: DoorSettings, { method = 'GET', url = '/', headers = {} }: Sent): Verdict =>
  judge({ method, url, headers: { host: '127.0.0.1:3211', ...headers } }, door);

/** The status of a refusal; 0 where it passes. */
const status = (door: DoorSettings, sent: Sent): number => {
  const verdict = ask(door, sent);
  return verdict.kind === 'refuse' ? verdict.refusal.status : 0;
};

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

describe('the name of the server', () => {
  it('is a loopback name with any port', () => {
    for (const host of ['127.0.0.1', '127.0.0.1:3211', 'localhost:8080', 'LOCALHOST', '[::1]:3211', '[::1]'])
      expect(status(local, { headers: { host } }), host).toBe(0);
  });

  it('is no other name or address, whatever asks for it', () => {
    for (const host of [
      'evil.example:3211',
      'evil.example',
      '192.0.2.2:3211',
      'localhost.evil.example',
      '127.0.0.1.nip.io',
    ])
      for (const url of ['/', '/api/models', '/_next/static/chunk.js'])
        expect(status(local, { url, headers: { host, ...NAVIGATION } }), host).toBe(421);
    for (const host of [undefined, '', 'user@localhost', 'localhost/x', 'local host', '[::1', 'a:b:c'])
      expect(status(local, { headers: { host } }), String(host)).toBe(400);
  });

  it('beyond loopback is any address, and the names that were given', () => {
    const asked = { authorization: `Bearer ${TOKEN}` };
    for (const host of ['192.0.2.2:3211', '[2001:db8::1]:3211', 'localhost:1', 'lab.example.org'])
      expect(status(opened, { headers: { host, ...asked } }), host).toBe(0);
    expect(status(opened, { headers: { host: 'evil.example', ...asked } })).toBe(421);
    const named = readDoorSettings({
      STATESCOPE_HOST: 'box',
      STATESCOPE_TOKEN: 'none',
    });
    expect(status(named, { headers: { host: 'box:3000' } })).toBe(0);
  });
});

describe('pages of other origins', () => {
  it('may link to a page', () => {
    for (const site of ['cross-site', 'same-site', 'none'])
      expect(status(local, { url: '/runs', headers: { 'sec-fetch-site': site, ...NAVIGATION } }), site).toBe(0);
  });

  it('may not fetch, embed, post or open an answer of the API', () => {
    for (const site of ['cross-site', 'same-site']) {
      const headers = { 'sec-fetch-site': site };
      expect(status(local, { url: '/api/runs', headers })).toBe(403);
      expect(status(local, { url: '/api/runs', headers: { ...headers, ...NAVIGATION } })).toBe(403);
      expect(status(local, { url: '/_next/static/a.js', headers: { ...headers, 'sec-fetch-mode': 'no-cors' } })).toBe(
        403,
      );
      const frame = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
      expect(status(local, { headers: { ...headers, ...frame } })).toBe(403);
      expect(status(local, { method: 'POST', headers: { ...headers, ...NAVIGATION } })).toBe(403);
    }
  });

  it('may show a page in a frame where the server was told so, and still nothing else', () => {
    const framing = readDoorSettings({ PORT: '3211', STATESCOPE_FRAMED_BY: 'local, https://lab.example.org' });
    expect(framing.framedBy).toEqual(['http://127.0.0.1:*', 'http://localhost:*', 'https://lab.example.org']);
    const frame = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
    expect(status(framing, { headers: frame })).toBe(0);
    expect(status(local, { headers: frame })).toBe(403);
    expect(status(framing, { url: '/api/runs', headers: frame })).toBe(403);
    expect(status(framing, { method: 'POST', headers: frame })).toBe(403);
    expect(status(framing, { headers: { ...frame, 'sec-fetch-dest': 'object' } })).toBe(403);
    expect(() => readDoorSettings({ STATESCOPE_FRAMED_BY: '*' })).toThrow('STATESCOPE_FRAMED_BY must be "local" or');
  });

  it('are known by their origin where the browser says nothing else', () => {
    const post = (origin: string, host = '127.0.0.1:3211') =>
      status(local, { method: 'POST', url: '/api/runs', headers: { origin, host } });
    expect(post('http://127.0.0.1:3211')).toBe(0);
    expect(post('http://localhost:3211', 'localhost:3211')).toBe(0);
    for (const origin of [
      'http://evil.example:3211',
      'http://127.0.0.1:8080',
      'http://localhost:3211',
      'null',
      '',
      'x',
    ])
      expect(post(origin), origin).toBe(403);
    expect(status(local, { url: '/api/runs', headers: { origin: 'http://evil.example' } })).toBe(403);
  });

  it('do not include the page itself, nor what a proxy shows under a given name', () => {
    const own = { origin: 'http://127.0.0.1:3211', 'sec-fetch-site': 'same-origin' };
    expect(status(local, { method: 'PATCH', url: '/api/runs/1', headers: own })).toBe(0);
    const proxied = { origin: 'https://lab.example.org', authorization: `Bearer ${TOKEN}` };
    for (const host of ['lab.example.org', '127.0.0.1:3211'])
      expect(status(opened, { method: 'POST', url: '/api/runs', headers: { ...proxied, host } }), host).toBe(0);
  });

  it('are nobody outside of a browser', () => {
    expect(status(local, { method: 'POST', url: '/api/runs' })).toBe(0);
  });
});

describe('what no route answers', () => {
  it('is refused with what is answered', () => {
    for (const method of ['TRACE', 'PROPFIND', 'PUT', 'get'])
      expect(ask(local, { method, url: '/api/runs' })).toMatchObject({
        kind: 'refuse',
        refusal: { status: 405, headers: { allow: 'GET, HEAD, POST, PATCH, DELETE, OPTIONS' } },
      });
  });

  it('is any target but a path', () => {
    for (const url of ['*', 'http://evil.example/', '//evil.example/', '/\\evil.example', ''])
      expect(status(opened, { url: `${url}?token=${TOKEN}` }), url).toBe(400);
  });

  it('is a path that cannot be decoded', () => {
    for (const url of ['/api/runs/%', '/api/runs/%zz', '/api/runs/%ff'])
      expect(ask(local, { url }), url).toMatchObject({ kind: 'refuse', refusal: { status: 400 } });
    expect(status(local, { url: '/api/runs/%F0%9F%92%A9?q=%' })).toBe(0);
  });
});

describe('the token', () => {
  const cookie = setCookie(3211, TOKEN, false).split(';')[0];

  it('is not asked for on loopback, unless it is set', () => {
    expect(local.token).toBeNull();
    const set = readDoorSettings({ STATESCOPE_TOKEN: TOKEN });
    expect(status(set, {})).toBe(401);
  });

  it('lets in as a header or as the cookie, and nothing else does', () => {
    for (const url of ['/', '/api/runs', '/_next/static/a.js', '/api/health']) {
      expect(status(opened, { url }), url).toBe(401);
      expect(status(opened, { url, headers: { authorization: `Bearer ${TOKEN}` } })).toBe(0);
      expect(status(opened, { url, headers: { cookie: `a=b; ${cookie}; c=d` } })).toBe(0);
      for (const authorization of [
        '',
        'Bearer',
        `Bearer ${TOKEN}x`,
        `Bearer ${TOKEN.slice(1)}`,
        `Basic ${TOKEN}`,
        TOKEN,
      ])
        expect(status(opened, { url, headers: { authorization } }), authorization).toBe(401);
      for (const other of [cookie.slice(0, -1), `x${cookie}`, `${cookieName(3211)}=${TOKEN}`, `${cookieName(3211)}=`])
        expect(status(opened, { url, headers: { cookie: other } }), other).toBe(401);
    }
  });

  it('in a link becomes a cookie, and the address goes on without it', () => {
    const verdict = ask(opened, { url: `/runs?a=1&token=${TOKEN}&b=x%20y` });
    expect(verdict).toMatchObject({ kind: 'welcome', welcome: { location: '/runs?a=1&b=x+y' } });
    const { welcome } = verdict as Extract<Verdict, { kind: 'welcome' }>;
    expect(welcome.cookie).toMatch(/^statescope-3211=[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/);
    expect(welcome.cookie).not.toContain(TOKEN);
    expect(status(opened, { headers: { cookie: welcome.cookie.split(';')[0] } })).toBe(0);
    // Somebody who is in already and follows the link again does not keep the token in the address.
    expect(ask(opened, { url: `/?token=${TOKEN}`, headers: { cookie } }).kind).toBe('welcome');
  });

  it('in a link opens pages only', () => {
    expect(status(opened, { url: `/api/runs?token=${TOKEN}` })).toBe(401);
    expect(status(opened, { method: 'POST', url: `/?token=${TOKEN}` })).toBe(401);
    expect(status(opened, { url: '/?token=wrong' })).toBe(401);
  });

  it('makes a secure cookie where a trusted proxy speaks TLS', () => {
    const proxied = { ...opened, trustProxy: true };
    const sent = { url: `/?token=${TOKEN}`, headers: { 'x-forwarded-proto': 'https' } };
    expect(ask(proxied, sent)).toMatchObject({ welcome: { cookie: expect.stringMatching(/; Secure$/) } });
    expect(ask(opened, sent)).toMatchObject({ welcome: { cookie: expect.stringMatching(/SameSite=Strict$/) } });
  });
});

describe('a read-only server', () => {
  const demo = { ...local, readOnly: true };

  it('reads, computes and cancels', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(status(demo, { method, url: '/api/runs/1/map' })).toBe(0);
    for (const path of ['runs', 'runs/1/resume', 'analyses', 'estimate', 'tokenize', 'generate'])
      expect(status(demo, { method: 'POST', url: `/api/${path}?run=1` }), path).toBe(0);
    for (const path of ['runs/1', 'analyses/1'])
      expect(status(demo, { method: 'DELETE', url: `/api/${path}` }), path).toBe(0);
  });

  it('refuses whatever lasts, and whatever it does not know', () => {
    const refused: [string, string][] = [
      ['PATCH', 'runs/1'],
      ['DELETE', 'runs/1?forget=true'],
      ['DELETE', 'runs/1?f%6Frget=true'],
      ['DELETE', 'runs/1?forget=false&forget=true'],
      ['POST', 'models'],
      ['DELETE', 'models?folder=x'],
      ['POST', 'runs/1/unheard-of'],
      ['DELETE', 'runs'],
      ['POST', ''],
    ];
    for (const [method, path] of refused) {
      expect(status(demo, { method, url: `/api/${path}` }), `${method} ${path}`).toBe(403);
      expect(status(local, { method, url: `/api/${path}` }), `${method} ${path}`).toBe(0);
    }
  });
});

/** Every request of the API that is not mere reading: method and path, `1` for each parameter. */
function writingRoutes(): string[] {
  const api = join(process.cwd(), 'app', 'api');
  const files = readdirSync(api, { recursive: true, encoding: 'utf8' }).filter((path) => basename(path) === 'route.ts');
  return files.flatMap((path) => {
    const route = dirname(path).replaceAll(/\[[^\]]+\]/g, '1');
    const methods = readFileSync(join(api, path), 'utf8').matchAll(
      /export (?:const|async function|function) (POST|PUT|PATCH|DELETE)\b/g,
    );
    return [...methods].map(([, method]) => `${method} ${route}`);
  });
}

it('every route that may change something was decided on for a read-only server', () => {
  const demo = { ...local, readOnly: true };
  const decided = Object.fromEntries(
    writingRoutes().map((route) => {
      const [method, path] = route.split(' ');
      return [route, status(demo, { method, url: `/api/${path}` })];
    }),
  );
  expect(decided).toEqual({
    'POST analyses': 0,
    'DELETE analyses/1': 0,
    'POST estimate': 0,
    'POST generate': 0,
    'POST models': 403,
    'PATCH models': 403,
    'DELETE models': 403,
    'POST runs': 0,
    'PATCH runs/1': 403,
    'DELETE runs/1': 0,
    'POST runs/1/resume': 0,
    'POST sweeps': 403,
    'DELETE sweeps/1': 403,
    'POST tokenize': 0,
  });
});

describe('settings', () => {
  const read = readDoorSettings;

  it('stay on loopback where nothing is said, whatever HOST says', () => {
    for (const env of [
      {},
      { STATESCOPE_HOST: '' },
      { HOST: '0.0.0.0' },
      { HOST: '' },
      { STATESCOPE_HOST: '', PORT: '' },
    ])
      expect(read(env)).toMatchObject({
        host: '127.0.0.1',
        port: 3000,
        open: false,
        token: null,
      });
  });

  it('make a token beyond loopback and behind a proxy', () => {
    for (const host of ['0.0.0.0', '::', '[::]', '192.0.2.2', 'box.example', '128.0.0.1'])
      expect(read({ STATESCOPE_HOST: host }), host).toMatchObject({ open: true, tokenIsNew: true });
    for (const host of ['127.0.0.2', '::1', '[::1]', 'localhost', 'Localhost'])
      expect(read({ STATESCOPE_HOST: host }), host).toMatchObject({ open: false, token: null });
    expect(read({ STATESCOPE_ALLOWED_HOSTS: 'lab.example' })).toMatchObject({ open: false, tokenIsNew: true });
    const [a, b] = [read({ STATESCOPE_HOST: '::' }).token, read({ STATESCOPE_HOST: '::' }).token];
    expect(a).toMatch(/^[\w-]{32}$/);
    expect(a).not.toBe(b);
    expect(read({ STATESCOPE_HOST: '::', STATESCOPE_TOKEN: 'none' }).token).toBeNull();
  });

  it('are refused by their name', () => {
    for (const PORT of ['99999', '0', '-1', '3000 -H 0.0.0.0', '3e3', 'http', ' '])
      expect(() => read({ PORT }), PORT).toThrow(`PORT must be a whole number from 1 to 65535, not "${PORT}".`);
    for (const STATESCOPE_HOST of ['a b', 'http://x', 'host:80', '0.0.0.0 -p 1', '[::1]:80'])
      expect(() => read({ STATESCOPE_HOST }), STATESCOPE_HOST).toThrow('STATESCOPE_HOST must be an address');
    expect(() => read({ STATESCOPE_ALLOWED_HOSTS: 'a.example, https://b' })).toThrow('STATESCOPE_ALLOWED_HOSTS must');
    for (const STATESCOPE_TOKEN of ['short', 'has spaces in its middle', 'x'.repeat(257)])
      expect(() => read({ STATESCOPE_TOKEN })).toThrow('STATESCOPE_TOKEN must be 16 to 256');
    expect(() => read({ STATESCOPE_READ_ONLY: 'yes' })).toThrow('STATESCOPE_READ_ONLY must be 1 or 0, not "yes".');
  });
});
