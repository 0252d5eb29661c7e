import { DrizzleQueryError } from 'drizzle-orm';

/** Why the store failed, in words that hold neither SQL nor what was to be written. */
export interface Cause {
  /** Ends a sentence, without its full stop. */
  readonly words: string;
  /** Whether the connection to the database is gone, so that it must be opened anew. */
  readonly lost: boolean;
}

/** What the system calls a file or a connection that fails. */
const SYSTEM: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'the folder may not be written to (EACCES)',
  EPERM: 'the folder may not be written to (EPERM)',
  EROFS: 'the file system is read-only',
  EIO: 'the disk fails (EIO)',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused: nothing listens at its address',
  ENOTFOUND: 'its host is not known',
  EAI_AGAIN: 'its host is not known at the moment',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ETIMEDOUT: 'it does not answer',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ENOENT: 'its socket is not there',
};

/** SQLSTATEs, or their class, by what an operator can do about them. */
const POSTGRES: readonly (readonly [prefix: string, words: string, lost: boolean])[] = [
  ['53100', 'the disk is full', false],
  ['53300', 'it has too many connections', true],
  ['28', 'it refuses the user or the password', true],
  ['3D000', 'there is no such database', true],
  ['42501', 'its user lacks the rights', false],
  ['25006', 'it is read-only', true],
  ['57014', 'it takes too long', true],
  ['57P', 'it is starting or stopping', true],
  ['58', 'it fails to read or write its files', false],
  ['08', 'the connection broke', true],
];

/** Messages of connections that carry no code. */
const MESSAGES: readonly (readonly [test: RegExp, words: string])[] = [
  [/timeout|timed out/i, 'it does not answer'],
  [/connection (terminated|ended|error)|connection.*closed|not queryable|PGlite is closed/i, 'the connection broke'],
  // The embedded database is a program of its own inside the thread; after this nothing of it can be trusted.
  [/^Aborted\(|unreachable|memory access out of bounds|null function/i, 'it stopped'],
  [/password must be a string|SASL/, 'it refuses the user or the password'],
];

interface Coded extends Error {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly errors?: readonly Error[];
}

/** The error that others wrap: drizzle puts the query around it, Node one per address. */
function innermost(error: unknown): Coded {
  let inner = error as Coded;
  for (;;) {
    const next = inner.cause instanceof Error ? inner.cause : inner.errors?.[0];
    if (!next) return inner;
    inner = next as Coded;
  }
}

/** @returns what lies at the bottom of an error. */
export function causeOf(error: unknown): Cause {
  const { code, message, syscall } = innermost(error);
  if (typeof code !== 'string') {
    const known = MESSAGES.find(([test]) => test.test(message));
    // A database refuses a query with a code; a query that failed without one did not reach it, or broke it.
    const lost = known !== undefined || error instanceof DrizzleQueryError;
    return { words: known?.[1] ?? firstLine(message), lost };
  }
  const connecting = syscall === 'connect' || syscall === 'getaddrinfo';
  if (connecting && code in NETWORK) return { words: NETWORK[code], lost: true };
  if (code in SYSTEM) return { words: SYSTEM[code], lost: false };
  if (code in NETWORK && code !== 'ENOENT') return { words: NETWORK[code], lost: true };
  const known = POSTGRES.find(([prefix]) => /^[0-9A-Z]{5}$/.test(code) && code.startsWith(prefix));
  return known ? { words: known[1], lost: known[2] } : { words: firstLine(message), lost: false };
}

const firstLine = (message: string) => message.split('\n')[0].replace(/[.\s]+$/, '');
