import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const makeToken = (): string => randomBytes(24).toString('base64url');

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Takes as long for every guess. */
export const isSame = (guess: string, secret: string): boolean => timingSafeEqual(digest(guess), digest(secret));

/** Browsers keep one jar for all ports of a host: the port tells the servers of one machine apart. */
export const cookieName = (port: number): string => `statescope-${port}`;

/** What the cookie holds: it proves the token without being it, and is the same after a restart with the same token. */
export const cookieValue = (token: string): string => createHmac('sha256', token).update('cookie').digest('base64url');

const DAYS = 30;

export function setCookie(port: number, token: string, secure: boolean): string {
  const kept = `${cookieName(port)}=${cookieValue(token)}; Path=/; Max-Age=${DAYS * 86_400}; HttpOnly; SameSite=Strict`;
  return secure ? `${kept}; Secure` : kept;
}

/** @param header the request's `Cookie` */
export function hasCookie(header: string | undefined, port: number, token: string): boolean {
  const prefix = `${cookieName(port)}=`;
  return (header ?? '')
    .split(';')
    .map((part) => part.trim())
    .some((part) => part.startsWith(prefix) && isSame(part.slice(prefix.length), cookieValue(token)));
}

/** @param header the request's `Authorization` */
export function hasBearer(header: string | undefined, token: string): boolean {
  const [, given] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? [];
  return given !== undefined && isSame(given, token);
}
