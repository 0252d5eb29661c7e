import { isIP, isIPv4 } from 'node:net';
import { hostname } from 'node:os';
import { type Environment, isOn } from '../settings';
import { makeToken } from './token';

/** Who may come in, from the environment. Read once at the start. */
export interface DoorSettings {
  /** The address or name that is listened on (STATESCOPE_HOST). */
  readonly host: string;
  /** The port that is listened on (PORT). */
  readonly port: number;
  /** Whether other machines reach it: it listens beyond loopback. */
  readonly open: boolean;
  /** What everybody must show (STATESCOPE_TOKEN); null where none is asked for. */
  readonly token: string | null;
  /** The token was made for this start, so nobody knows it unless it is printed. */
  readonly tokenIsNew: boolean;
  /** Names by which this machine is addressed itself. */
  readonly ownHosts: readonly string[];
  /** Names under which proxies offer it (STATESCOPE_ALLOWED_HOSTS). */
  readonly allowedHosts: readonly string[];
  /** `X-Forwarded-For` and `X-Forwarded-Proto` are believed (STATESCOPE_TRUST_PROXY). */
  readonly trustProxy: boolean;
  /** Nothing that lasts may be changed (STATESCOPE_READ_ONLY). */
  readonly readOnly: boolean;
  /** Origins whose pages may show this one in a frame, as a Content-Security-Policy names them (STATESCOPE_FRAMED_BY). */
  readonly framedBy: readonly string[];
}

/** Pages of this machine on any port, as those of notebooks are. */
const LOCAL_ORIGINS = ['http://127.0.0.1:*', 'http://localhost:*'];

/** @throws Error with one sentence for what is no list of origins. */
function framersOf(text: string): string[] {
  const origins = text.split(',').map((each) => each.trim());
  return origins.flatMap((each) => {
    if (each === '') return [];
    if (each === 'local') return LOCAL_ORIGINS;
    if (URL.canParse(each) && new URL(each).origin === each) return [each];
    throw new Error(
      `STATESCOPE_FRAMED_BY must be "local" or origins such as https://lab.example.org, separated by commas, not "${each}".`,
    );
  });
}

const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/i;

/** 127.0.0.0/8, ::1 and localhost. Other names count as reachable, whatever they resolve to. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** As a URL writes it: IPv6 in brackets. */
export const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function hostOf(text: string, name: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(host) || NAME.test(host)) return host;
  throw new Error(`${name} must be an address or a host name without port, not "${text}".`);
}

function portOf(text: string | undefined): number {
  if (!text) return 3000;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new Error(`PORT must be a whole number from 1 to 65535, not "${text}".`);
}

/** `none` asks for no token where one would be made. */
function tokenOf(text: string | undefined, reachable: boolean): { token: string | null; tokenIsNew: boolean } {
  if (text === 'none') return { token: null, tokenIsNew: false };
  if (!text) return reachable ? { token: makeToken(), tokenIsNew: true } : { token: null, tokenIsNew: false };
  if (!/^[\w.~-]{16,256}$/.test(text))
    throw new Error('STATESCOPE_TOKEN must be 16 to 256 letters, digits or any of -._~ (or "none" for no token).');
  return { token: text, tokenIsNew: false };
}

/**
 * An empty variable counts as one that is not set, as a compose file writes what it does not know. `HOST` belongs to
 * shells and compilers and is not read.
 * @throws Error with one sentence that names the variable.
 */
export function readDoorSettings(env: Environment): DoorSettings {
  const host = hostOf(env.STATESCOPE_HOST || '127.0.0.1', 'STATESCOPE_HOST');
  const allowedHosts = (env.STATESCOPE_ALLOWED_HOSTS ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => hostOf(text, 'STATESCOPE_ALLOWED_HOSTS'));
  const open = !isLoopback(host);
  // Whoever names further hosts expects requests from elsewhere, through a proxy.
  const { token, tokenIsNew } = tokenOf(env.STATESCOPE_TOKEN, open || allowedHosts.length > 0);
  return {
    host,
    port: portOf(env.PORT),
    open,
    token,
    tokenIsNew,
    ownHosts: ['127.0.0.1', 'localhost', '::1', host, ...(open ? [hostname().toLowerCase()] : [])],
    allowedHosts,
    trustProxy: isOn(env, 'STATESCOPE_TRUST_PROXY'),
    readOnly: isOn(env, 'STATESCOPE_READ_ONLY'),
    framedBy: framersOf(env.STATESCOPE_FRAMED_BY ?? ''),
  };
}
