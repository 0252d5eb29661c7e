import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-eval-resume-'));
afterAll(() => rmSync(folder, { recursive: true }));

const DATA = '{"source": "retrieval"}';
const models = ['--models', 'a=demo-mamba2,b=demo-diff-mamba2', '--resamples', '20', '--json', '--out'];
const args = (out: string, rows = 60) => [
  'eval',
  'lm',
  '--data',
  DATA,
  '--rows',
  String(rows),
  '--batch',
  '1',
  ...models,
  out,
];

const samples = join(folder, 'samples');
mkdirSync(join(samples, 'qa1'), { recursive: true });
const ROOMS = ['kitchen', 'garden', 'office'];
writeFileSync(
  join(samples, 'qa1', '0k.json'),
  JSON.stringify(
    Array.from({ length: 60 }, (_, k) => ({
      input: `Mary went to the ${ROOMS[k % 3]}. ${'John went to the hallway. '.repeat(k % 7)}`,
      question: 'Where is Mary? ',
      target: ROOMS[k % 3],
    })),
  ),
);
const hidden = (out: string) => [
  ...['eval', 'babilong', '--folder', samples, '--tasks', 'qa1', '--lengths', '0k', '--samples', '60', '--batch', '3'],
  ...[...models, out],
];

const FILES = ['predictions.jsonl', 'summary.json', 'run.json'];
const contents = (out: string) => FILES.map((name) => readFileSync(join(out, name), 'utf8'));

describe('an evaluation that is ended', () => {
  it.each([
    ['lm', args],
    ['babilong', hidden],
  ] as const)(
    'by kill −9 goes on where it stopped, and leaves the files of one that never was: %s',
    async (name, asked) => {
      const [whole, ended] = [join(folder, `${name}-whole`), join(folder, `${name}-ended`)];
      const program = [join(process.cwd(), 'scripts/statescope.mjs')];
      const first = spawn(process.execPath, [...program, ...asked(ended)], { stdio: 'ignore' });
      const lines = join(ended, 'predictions.jsonl');
      while (first.exitCode === null && !(existsSync(lines) && statSync(lines).size > 4_000)) await after(5);
      first.kill('SIGKILL');
      await once(first, 'close');
      const left = readFileSync(lines, 'utf8');
      expect(left.split('\n').length).toBeGreaterThan(2);
      expect(existsSync(join(ended, 'summary.json'))).toBe(false);
      const again = spawnSync(process.execPath, [...program, ...asked(ended)], { encoding: 'utf8' });
      expect(again.status, again.stderr).toBe(0);
      const uninterrupted = spawnSync(process.execPath, [...program, ...asked(whole)], { encoding: 'utf8' });
      expect(again.stdout).toBe(uninterrupted.stdout);
      expect(contents(ended)).toEqual(contents(whole));
      expect(left.startsWith(readFileSync(lines, 'utf8').slice(0, left.lastIndexOf('\n') + 1))).toBe(true);
    },
    120_000,
  );

  it('drops a torn last line, and refuses the folder of another evaluation', async () => {
    const out = join(folder, 'torn');
    expect((await outcomeOf(...args(out, 6))).code).toBe(0);
    const before = contents(out);
    const lines = join(out, 'predictions.jsonl');
    const [text] = before;
    const cut = text.split('\n').slice(0, 7).join('\n');
    writeFileSync(lines, `${cut}\n`);
    appendFileSync(lines, '{"model":"b","seed":"demo-diff');
    rmSync(join(out, 'summary.json'));
    expect((await outcomeOf(...args(out, 6))).code).toBe(0);
    expect(contents(out)).toEqual(before);
    const other = await outcomeOf(...args(out, 7));
    expect([other.code, other.out]).toEqual([2, '']);
    expect(other.err).toContain('holds another evaluation');
    const empty = join(folder, 'empty');
    expect(
      (await outcomeOf(...args(empty, 6).map((arg) => arg.replace('"retrieval"', '"retrieval", "seed": 1')))).code,
    ).toBe(0);
    writeFileSync(join(empty, 'predictions.jsonl'), '');
    expect((await outcomeOf(...args(empty, 6))).code).toBe(0);
    expect(contents(empty)).toEqual(before);
    rmSync(join(out, 'run.json'));
    expect((await outcomeOf(...args(out, 6))).err).toContain('is not of this evaluation');
  });
});
