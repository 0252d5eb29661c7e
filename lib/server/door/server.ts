import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuse, welcome } from './answers';
import { asksForWork, Crowd } from './crowd';
import { framed } from './framed';
import { type Asked, judge, type Refusal } from './rules';
import type { DoorSettings } from './settings';
import { Streams } from './streams';

/** What lies behind the door. */
export interface Inside {
  request(request: IncomingMessage, response: ServerResponse): void;
  /** Connections that become something else than HTTP; without it `Upgrade` is not heeded. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** How many requests for work would be accepted now. */
  room(): number;
}

/** Bounds on what somebody takes who has not even asked yet. Times in ms. */
const LIMITS = {
  connections: 512,
  /** Until the last header, from the opening of the connection. */
  headers: 10_000,
  /** Until the last byte of the body. */
  request: 15_000,
  /** Between two requests on one connection. */
  idle: 30_000,
  headerBytes: 16 * 1024,
  headerCount: 100,
};

/** How often connections are held against their time. */
const CHECK_MS = 1000;

export interface Door {
  readonly server: Server;
  /** Answers 503 from now on, and takes no new connections. */
  close(): void;
}

const askedBy = ({ method = '', url = '', headers }: IncomingMessage): Asked => ({ method, url, headers });

const ENDING = { status: 503, message: 'The server is ending.' };

/** Passes on what may come in, and answers the rest itself. It does not listen yet. */
export function makeDoor(settings: DoorSettings, inside: Inside): Door {
  const streams = new Streams(settings.trustProxy);
  const crowd = new Crowd(inside.room);
  let ending = false;
  const server = createServer({
    headersTimeout: LIMITS.headers,
    requestTimeout: LIMITS.request,
    keepAliveTimeout: LIMITS.idle,
    connectionsCheckingInterval: CHECK_MS,
    maxHeaderSize: LIMITS.headerBytes,
  });
  server.maxConnections = LIMITS.connections;
  server.maxHeadersCount = LIMITS.headerCount;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const asked = askedBy(request);
    if (ending) return refuse(asked, response, ENDING);
    const verdict = judge(asked, settings);
    if (verdict.kind === 'refuse') return refuse(asked, response, verdict.refusal);
    if (verdict.kind === 'welcome') return welcome(asked, response, verdict.welcome);
    if (settings.framedBy.length > 0) framed(response, settings.framedBy);
    const letIn = (full: Refusal | null) => (full ? refuse(asked, response, full) : inside.request(request, response));
    // A small body has come with its headers, and is read once this event is over.
    if (asksForWork(asked)) setImmediate(() => letIn(crowd.enter(request, response)));
    else letIn(streams.enter(asked, response));
  });
  const { upgrade } = inside;
  if (upgrade)
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!ending && judge(askedBy(request), settings).kind === 'pass') upgrade(request, socket, head);
      else socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    });
  return {
    server,
    close: () => {
      ending = true;
      server.close();
    },
  };
}
