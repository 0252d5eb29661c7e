import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';

const PATIENCE = 20_000;
const REDIRECTS = 5;
const ATTEMPTS = 3;

/** The proxy that the environment names for an https address, if any. */
function proxyOf({ protocol, hostname }) {
  const { HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy } = process.env;
  const proxy = HTTPS_PROXY || https_proxy;
  const exempt = (NO_PROXY || no_proxy || '').split(',').map((name) => name.trim().replace(/^\./, ''));
  const direct = exempt.some((name) => name === '*' || (name && `.${hostname}`.endsWith(`.${name}`)));
  return protocol === 'https:' && proxy && !direct ? new URL(proxy) : undefined;
}

const credentials = ({ username, password }) =>
  username ? `${decodeURIComponent(username)}:${decodeURIComponent(password)}` : undefined;

/** A connection to the host of `url` through a proxy's tunnel; Node 20 has none of its own. */
async function tunnel(proxy, url) {
  const path = `${url.hostname}:${url.port || 443}`;
  const auth = credentials(proxy);
  const headers = auth ? { 'proxy-authorization': `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  const client = proxy.protocol === 'https:' ? https : http;
  const call = client.request(proxy.origin, { method: 'CONNECT', path, headers: { host: path, ...headers } });
  call.setTimeout(PATIENCE, () => call.destroy(new Error('no answer')));
  call.end();
  const [response, socket] = await once(call, 'connect');
  if (response.statusCode !== 200) throw new Error(`the proxy answered ${response.statusCode}`);
  return tls.connect({ socket, servername: url.hostname });
}

/**
 * The answer to a request, redirections followed.
 * @returns {Promise<http.IncomingMessage>} to be read or destroyed
 * @throws Error with one sentence where nobody answers within 20 s
 */
export async function request(address, { method = 'GET', headers = {} } = {}, redirects = REDIRECTS) {
  const url = new URL(address);
  const response = await answer(url, method, headers).catch((error) => {
    throw new Error(`${url.host} cannot be reached (${error.code ?? error.message})`);
  });
  const { statusCode, headers: answered } = response;
  if (statusCode < 300 || statusCode >= 400 || !answered.location) return response;
  response.destroy();
  if (redirects === 0) throw new Error(`${url.host} redirects too often`);
  return request(new URL(answered.location, url).href, { method, headers }, redirects - 1);
}

async function answer(url, method, headers) {
  const proxy = proxyOf(url);
  const socket = proxy && (await tunnel(proxy, url));
  const own = socket ? { createConnection: () => socket, agent: false } : {};
  const client = url.protocol === 'http:' ? http : https;
  const call = client.request(url, { method, headers, auth: credentials(url), ...own });
  call.setTimeout(PATIENCE, () => call.destroy(new Error('no answer')));
  call.end();
  const [response] = await once(call, 'response');
  return response;
}

const sizeOf = (path) => (existsSync(path) ? statSync(path).size : 0);

async function append(url, partial) {
  const have = sizeOf(partial);
  const response = await request(url, { headers: have > 0 ? { range: `bytes=${have}-` } : {} });
  if (response.statusCode === 416) return response.destroy();
  if (response.statusCode !== 200 && response.statusCode !== 206) {
    response.destroy();
    throw new Error(`${new URL(url).host} answered ${response.statusCode}`);
  }
  await pipeline(response, createWriteStream(partial, { flags: response.statusCode === 206 ? 'a' : 'w' }));
}

async function sha256Of(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Downloads a file to `path`, which appears only with the right checksum; until then it grows as `path`.part, from whose
 * end a broken or repeated download goes on.
 * @throws Error with one sentence
 */
export async function download(url, path, sha256) {
  const partial = `${path}.part`;
  for (let attempt = 1; ; attempt++) {
    try {
      await append(url, partial);
      break;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
  if ((await sha256Of(partial)) !== sha256) {
    rmSync(partial, { force: true });
    throw new Error(`the download of ${basename(path)} is damaged; nothing was kept`);
  }
  renameSync(partial, path);
}
