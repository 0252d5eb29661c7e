import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The served repository answers to this name too, by a redirect, as a renamed one does. */
export const FORMER_NAME = 'someone/former-name';

/** What goes wrong with the contents of one file, each time for as long as the count lasts. */
export interface Faults {
  /** The connection is cut after so many bytes of the answer have arrived, so many times. */
  cut?: { after: number; times: number };
  /** The answer has a flipped bit. */
  damaged?: boolean;
  /** The server ignores ranges. */
  noRanges?: boolean;
  /** Answers 403, as for a model whose terms must be accepted first. */
  refused?: boolean;
  /** Answers 503 so many times. */
  busy?: number;
}

export interface HubServer {
  readonly endpoint: string;
  readonly commit: string;
  /** "GET config.json", "GET model.safetensors bytes=100-199", in order; requests for one byte are left out. */
  readonly downloads: string[];
  /** Everything that was asked of the hub. */
  requests: number;
  readonly faults: Map<string, Faults>;
  /** To be told how much of a file the client has: bytes still on their way when a connection is cut may be lost. */
  arrived(name: string, bytes: number): void;
  close(): Promise<void>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const gitObject = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');

const etagOf = (name: string, bytes: Uint8Array) => (isLarge(name) ? sha256(bytes) : gitObject(bytes));

const isLarge = (name: string) => /\.(safetensors|bin)$/.test(name);

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<[Server, string]> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

const close = (server: Server) =>
  new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

/**
 * A hub for one repository on this machine, with the API that lists its files and their digests: small files are answered at once with their git object id as the etag; large
 * ones are redirected to a store on another port, with `x-linked-etag` (sha256) and `x-linked-size` on the redirect.
 */
export async function startHub(model: string, files: ReadonlyMap<string, Uint8Array>): Promise<HubServer> {
  const commit = createHash('sha1').update(model).digest('hex');
  const downloads: string[] = [];
  const faults = new Map<string, Faults>();
  const cuts = new Map<string, { at: number; response: ServerResponse }>();

  function sendBody(name: string, request: IncomingMessage, response: ServerResponse) {
    const bytes = files.get(name) as Uint8Array;
    const fault = faults.get(name) ?? {};
    const { range } = request.headers;
    if (fault.refused) {
      response.writeHead(403).end();
      return;
    }
    // The library asks for one byte to learn the size.
    if (range === 'bytes=0-0') {
      const etag = `"${etagOf(name, bytes)}"`;
      if (fault.noRanges) response.writeHead(200, { etag }).end(bytes);
      else
        response.writeHead(206, { etag, 'content-range': `bytes 0-0/${bytes.byteLength}` }).end(bytes.subarray(0, 1));
      return;
    }
    downloads.push(['GET', name, range].filter(Boolean).join(' '));
    if (fault.busy) {
      fault.busy--;
      response.writeHead(503).end();
      return;
    }
    const start = range ? Number(/^bytes=(\d+)-\d+$/.exec(range)?.[1]) : 0;
    const body = Buffer.from(bytes.subarray(start));
    if (fault.damaged) body[body.byteLength - 1] ^= 1;
    const contentRange = `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}`;
    response.writeHead(start ? 206 : 200, {
      'content-length': body.byteLength,
      ...(start && { 'content-range': contentRange }),
    });
    if (fault.cut && fault.cut.times > 0) {
      fault.cut.times--;
      response.write(body.subarray(0, fault.cut.after));
      cuts.set(name, { at: start + fault.cut.after, response });
    } else {
      response.end(body);
    }
  }

  function sendFacts([, repository, what, revision]: string[], response: ServerResponse) {
    if (repository === FORMER_NAME) {
      response.writeHead(307, { location: `/api/models/${model}/${what}/${revision}` }).end();
      return;
    }
    if (repository !== model || (revision !== 'main' && revision !== commit)) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Repository not found"}');
      return;
    }
    const info = { _id: '0', id: model, private: false, lastModified: '2026-01-01T00:00:00.000Z', sha: commit };
    const tree = [...files].map(([path, bytes]) => ({
      type: 'file',
      path,
      size: bytes.byteLength,
      oid: gitObject(bytes),
      ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.byteLength, pointerSize: 134 } }),
    }));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(what === 'tree' ? tree : info));
  }

  const [store, storeUrl] = await listen((request, response) =>
    sendBody(request.url?.slice(1) ?? '', request, response),
  );

  const [hub, endpoint] = await listen((request, response) => {
    server.requests++;
    const { pathname } = new URL(request.url ?? '', endpoint);
    const api = /^\/api\/models\/(.+?)\/(revision|tree)\/([^/]+)$/.exec(pathname);
    if (api) return sendFacts(api, response);
    const [, repository, revision, name] = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(pathname) ?? [];
    if (repository === FORMER_NAME) {
      response.writeHead(307, { location: `/${model}/resolve/${revision}/${name}` }).end();
      return;
    }
    if (repository !== model || (revision !== 'main' && revision !== commit)) {
      response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end();
      return;
    }
    const bytes = files.get(name);
    if (!bytes) {
      response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
      return;
    }
    response.setHeader('x-repo-commit', commit);
    if (isLarge(name)) {
      response.writeHead(302, {
        location: `${storeUrl}/${name}`,
        'x-linked-etag': `"${sha256(bytes)}"`,
        'x-linked-size': bytes.byteLength,
        etag: '"of-the-redirect"',
      });
      response.end();
    } else {
      sendBody(name, request, response);
    }
  });

  const server: HubServer = {
    endpoint,
    commit,
    downloads,
    requests: 0,
    faults,
    arrived(name, bytes) {
      const cut = cuts.get(name);
      if (!cut || bytes < cut.at) return;
      cuts.delete(name);
      cut.response.destroy();
    },
    close: async () => {
      await close(hub);
      await close(store);
    },
  };
  return server;
}
