import type { ServerResponse } from 'node:http';
import type { ErrorBody } from '@/lib/api/schemas';
import { type Asked, isApi, isForeign, type Refusal, type Welcome } from './rules';

/** The door's own pages load nothing and stand in no frame. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 15vh auto; padding: 0 1rem }
input, button { font: inherit; padding: .3rem .6rem }`;

const page = (head: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Statescope</title><style>${STYLE}</style>${head}</head><body><main>${body}</main></body></html>
`;

/** A browser that came from a link elsewhere withholds the cookie until it asks from a page of this server. */
const TOKEN_FORM = `
<p><a href="">Try again</a> if this browser was let in before, or enter the token:</p>
<form><label>Token <input name="token" type="password" autocomplete="current-password" required></label>
<button>Open</button></form>`;

const wantsPage = (asked: Asked): boolean => !isApi(asked) && (asked.headers.accept ?? '').includes('text/html');

function send(response: ServerResponse, status: number, headers: Record<string, string>, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { ...HEADERS, ...headers, 'content-length': bytes.length });
  response.end(bytes);
}

const HTML = 'text/html; charset=utf-8';

/** A sentence as a page for browsers, as JSON for everything else. What is left of the request is not waited for. */
export function refuse(asked: Asked, response: ServerResponse, refusal: Refusal): void {
  const { status, message, hint } = refusal;
  const headers = { ...refusal.headers, connection: 'close' };
  response.req.resume();
  if (wantsPage(asked)) {
    const sentences = `<h1>Statescope</h1><p>${escaped(message)}</p>${hint ? `<p>${escaped(hint)}</p>` : ''}`;
    const body = status === 401 ? sentences + TOKEN_FORM : sentences;
    send(response, status, { ...headers, 'content-type': HTML }, page('', body));
    return;
  }
  const body: ErrorBody = { error: { message, ...(hint ? { hint } : {}) } };
  send(response, status, { ...headers, 'content-type': 'application/json' }, JSON.stringify(body));
}

/**
 * Sets the cookie and goes on without the token. After a link on another site a redirect would arrive without the new
 * cookie (`SameSite=Strict` looks at where the way began), so a page of our own takes the step.
 */
export function welcome(asked: Asked, response: ServerResponse, { location, cookie }: Welcome): void {
  if (!isForeign(asked)) {
    send(response, 303, { location, 'set-cookie': cookie }, '');
    return;
  }
  const address = escaped(location);
  const head = `<meta http-equiv="refresh" content="0; url=${address}">`;
  const body = `<p><a href="${address}">Statescope</a></p>`;
  send(response, 200, { 'set-cookie': cookie, 'content-type': HTML }, page(head, body));
}
