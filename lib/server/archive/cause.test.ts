import { DrizzleQueryError } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { causeOf } from './cause';

const coded = (message: string, code: string, more: object = {}) =>
  Object.assign(new Error(message), { code, ...more });
const query = (cause: Error) => new DrizzleQueryError('insert into "runs" values ($1)', ['the secret prompt'], cause);

describe('causeOf', () => {
  it.each([
    [
      'a full disk',
      coded('ENOSPC: no space left on device, write', 'ENOSPC', { syscall: 'write' }),
      /disk is full/,
      false,
    ],
    ['a folder without rights', coded('EACCES: permission denied', 'EACCES', { syscall: 'mkdir' }), /EACCES/, false],
    ['a read-only file system', coded('EROFS', 'EROFS', { syscall: 'open' }), /read-only/, false],
    ['a disk that PostgreSQL finds full', query(coded('could not extend file', '53100')), /disk is full/, false],
    ['a server that is down', query(coded('connect', 'ECONNREFUSED', { syscall: 'connect' })), /refused/, true],
    [
      'one that is down on every address',
      query(new AggregateError([coded('connect', 'ECONNREFUSED', { syscall: 'connect' })], '')),
      /refused/,
      true,
    ],
    ['a wrong password', query(coded('password authentication failed', '28P01')), /password/, true],
    ['a database that is not there', query(coded('database "x" does not exist', '3D000')), /no such database/, true],
    ['one that shuts down', query(coded('terminating connection', '57P01')), /starting or stopping/, true],
    ['silence', query(new Error('Query read timeout')), /does not answer/, true],
    ['silence from the start', new Error('timeout exceeded when trying to connect'), /does not answer/, true],
    ['a broken connection', query(new Error('Connection terminated unexpectedly')), /broke/, true],
    ['an embedded database that died', query(new Error('Aborted(). Build with -sASSERTIONS')), /stopped/, true],
    ['one whose program broke', query(new TypeError('Cannot read properties of undefined')), /Cannot read/, true],
    ['an error of our own', new TypeError('x is not a function'), /x is not a function/, false],
    [
      'a table that is missing',
      query(coded('relation "runs" does not exist', '42P01')),
      /"runs" does not exist/,
      false,
    ],
  ] as const)('says what %s is, without SQL and what was to be written', (_what, error, words, lost) => {
    const cause = causeOf(error);
    expect(cause).toEqual({ words: expect.stringMatching(words), lost });
    expect(cause.words).not.toMatch(/insert|secret|Failed query/);
  });
});
