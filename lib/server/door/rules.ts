import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { DoorSettings } from './settings';
import { hasBearer, hasCookie, isSame, setCookie } from './token';

/** What the door sees of a request. */
export interface Asked {
  readonly method: string;
  /** The request target: path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly hint?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Lets the browser in that has followed the link with the token: a cookie, and the same address without the token. */
export interface Welcome {
  readonly location: string;
  readonly cookie: string;
}

export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'welcome'; readonly welcome: Welcome };

const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];

const isReading = ({ method }: Asked): boolean => method === 'GET' || method === 'HEAD' || method === 'OPTIONS';

export const pathOf = ({ url }: Asked): string => url.split('?', 1)[0];

const paramsOf = (asked: Asked): URLSearchParams => new URLSearchParams(asked.url.slice(pathOf(asked).length));

export const isApi = (asked: Asked): boolean => pathOf(asked).startsWith('/api/');

/** `host[:port]` of a header, taken apart as browsers do; null when it is anything else. */
function parseHost(text: string | undefined): { readonly host: string; readonly hostname: string } | null {
  if (!text || /[^\w.:[\]-]/.test(text)) return null;
  try {
    const { host, hostname } = new URL(`http://${text}`);
    return { host, hostname: hostname.replace(/^\[(.*)\]$/, '$1') };
  } catch {
    return null;
  }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Absolute targets are for proxies, and a path of two slashes names another host in a redirect. */
function targetRefusal(asked: Asked): Refusal | null {
  if (!/^\/(?![/\\])/.test(asked.url))
    return { status: 400, message: 'The request must name a path that begins with one slash.' };
  if (isDecodable(pathOf(asked))) return null;
  return { status: 400, message: 'The path of the request holds a "%" that stands for no UTF-8 character.' };
}

function methodRefusal({ method }: Asked): Refusal | null {
  if (METHODS.includes(method)) return null;
  const allow = METHODS.join(', ');
  return { status: 405, message: `${method} is not answered here; ${allow} are.`, headers: { allow } };
}

/**
 * A foreign page whose name was made to point here (DNS rebinding) sends its own name as `Host`. An address cannot be
 * made to point elsewhere, so any will do where the server listens beyond loopback.
 */
function hostRefusal({ headers }: Asked, { ownHosts, allowedHosts, open }: DoorSettings): Refusal | null {
  const named = parseHost(headers.host)?.hostname;
  if (named === undefined) return { status: 400, message: 'The header Host is missing or is no host name.' };
  if (ownHosts.includes(named) || allowedHosts.includes(named) || (open && isIP(named))) return null;
  return {
    status: 421,
    message: `This server does not go by the name ${named}.`,
    hint: 'If it should, add the name to STATESCOPE_ALLOWED_HOSTS and start it again.',
  };
}

/** The browser says that another site asks, or that a link there was followed. */
export const isForeign = ({ headers: { 'sec-fetch-site': site } }: Asked): boolean =>
  site === 'cross-site' || site === 'same-site';

/**
 * A link that somebody follows, wherever it stands; what is fetched is none. In a frame too where some origin may show the
 * page in one: which, the browser looks up in the page's policy.
 */
function isNavigation(asked: Asked, { framedBy }: DoorSettings): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = asked.headers;
  const isPage = !isApi(asked) && !pathOf(asked).startsWith('/_next/');
  const isShown = destination === 'document' || (destination === 'iframe' && framedBy.length > 0);
  return isReading(asked) && isPage && mode === 'navigate' && isShown;
}

function isOwnOrigin(origin: string, { headers }: Asked, { allowedHosts }: DoorSettings): boolean {
  try {
    const { host, hostname } = new URL(origin);
    // A proxy may have put its own name for this server into `Host`.
    return host === parseHost(headers.host)?.host || allowedHosts.includes(hostname.replace(/^\[(.*)\]$/, '$1'));
  } catch {
    return false;
  }
}

/** Pages of other origins, other ports of this machine included, may link here and nothing else. */
function originRefusal(asked: Asked, door: DoorSettings): Refusal | null {
  if (isNavigation(asked, door)) return null;
  const { origin } = asked.headers;
  const foreign = isForeign(asked) || (origin !== undefined && !isOwnOrigin(origin, asked, door));
  if (!foreign) return null;
  return {
    status: 403,
    message: 'Pages of other origins may not use this server.',
    hint: 'Open its own page, or ask from a program outside of a browser.',
  };
}

const ASK = 'Open the link with the token that the server printed at its start, or send "Authorization: Bearer TOKEN".';

function tokenVerdict(asked: Asked, { token, port, trustProxy }: DoorSettings): Verdict {
  const { cookie, authorization } = asked.headers;
  if (token === null) return { kind: 'pass' };
  const params = paramsOf(asked);
  const given = params.get('token');
  if (given !== null && isReading(asked) && !isApi(asked) && isSame(given, token)) {
    params.delete('token');
    const query = params.toString();
    const secure = trustProxy && asked.headers['x-forwarded-proto'] === 'https';
    const location = `${pathOf(asked)}${query ? `?${query}` : ''}`;
    return { kind: 'welcome', welcome: { location, cookie: setCookie(port, token, secure) } };
  }
  if (hasBearer(authorization, token) || hasCookie(cookie, port, token)) return { kind: 'pass' };
  const wrong = given !== null || authorization !== undefined;
  const message = wrong ? 'This is not the token of this server.' : 'This server asks for a token.';
  const headers = { 'www-authenticate': 'Bearer realm="Statescope"' };
  return { kind: 'refuse', refusal: { status: 401, message, hint: ASK, headers } };
}

/** What computes and changes nothing that lasts. Whatever is not listed here is refused. */
const COMPUTES = /^\/api\/(runs|runs\/[^/]+\/resume|analyses|estimate|tokenize|generate)$/;
const CANCELS = /^\/api\/(runs|analyses)\/[^/]+$/;

/** Reading, computing and cancelling are open; naming, removing and folders of models are not. */
function readOnlyRefusal(asked: Asked, { readOnly }: DoorSettings): Refusal | null {
  if (!readOnly || isReading(asked)) return null;
  const path = pathOf(asked);
  if (asked.method === 'POST' && COMPUTES.test(path)) return null;
  if (asked.method === 'DELETE' && CANCELS.test(path) && !paramsOf(asked).has('forget')) return null;
  return { status: 403, message: 'This server is read-only: runs and models stay as they are.' };
}

/** Whether a request may come in. Pure: everything that it depends on is given. */
export function judge(asked: Asked, door: DoorSettings): Verdict {
  const refusal =
    targetRefusal(asked) ?? methodRefusal(asked) ?? hostRefusal(asked, door) ?? originRefusal(asked, door);
  if (refusal) return { kind: 'refuse', refusal };
  const verdict = tokenVerdict(asked, door);
  const readOnly = verdict.kind === 'pass' && readOnlyRefusal(asked, door);
  return readOnly ? { kind: 'refuse', refusal: readOnly } : verdict;
}
