import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { driverEnvironment } from './drivers';
import { supervise } from './supervise';

const folder = mkdtempSync(join(tmpdir(), 'statescope-supervise-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A group's process: good, one that hangs, one that dies, good; it skips as many as it is told. */
const PROGRAM = `
const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n');
const steps = [
  ['first', () => say({ found: 'first', finding: { ok: true, error: 1e-7 } })],
  ['hangs', () => { for (;;); }],
  ['dies', () => { console.error('out of memory'); process.exit(3); }],
  ['last', () => say({ found: 'last', finding: { ok: false, note: 'wrong' } })],
];
for (const [name, run] of steps.slice(Number(process.argv[1]))) { say({ begin: name, seconds: 1 }); run(); }
`;

async function outcome(groups: readonly string[], program: string, seconds = 60) {
  const printed: string[] = [];
  const counts = await supervise({
    groups,
    argumentsOf: (_, skip) => ['-e', program, '--', String(skip)],
    out: folder,
    environment: process.env,
    print: (line) => void printed.push(line),
    seconds,
  });
  const lines = readFileSync(join(folder, 'results.jsonl'), 'utf8').trim().split('\n');
  return { counts, printed, found: lines.map((line) => JSON.parse(line)) };
}

describe('steps that may hang or die', () => {
  it('are written as failed, and what comes after them runs', async () => {
    const { counts, found, printed } = await outcome(['group'], PROGRAM);
    expect(found.map(({ step, ok }) => [step, ok])).toEqual([
      ['first', true],
      ['hangs', false],
      ['dies', false],
      ['last', false],
    ]);
    expect(found[1].note).toBe('it took more than 1 s');
    expect(found[2].note).toBe('its process ended with code 3: out of memory');
    expect(counts).toEqual({ right: 1, wrong: 3 });
    expect(readFileSync(join(folder, 'results.txt'), 'utf8')).toBe(`${printed.join('\n')}\n`);
    expect(readFileSync(join(folder, 'log.txt'), 'utf8')).toContain('out of memory');
  });

  it('end with their group where the process does not even start, and all where the time is over', async () => {
    const { found } = await outcome(['a', 'b'], 'throw new Error("no driver")');
    expect(found.map(({ group, step, ok }) => [group, step, ok])).toEqual([
      ['a', 'start', false],
      ['b', 'start', false],
    ]);
    const late = await outcome(['a'], PROGRAM, -1);
    expect(late.found).toEqual([{ group: 'a', step: 'the rest', ok: false, note: 'left out: -1 seconds are over' }]);
  });
});

it('goes on where a process does not end when it is killed, and cuts a step off where the time is over', async () => {
  const holding = `
const { spawn } = require('node:child_process');
const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n');
if (process.argv[1] === '0') {
  // As a driver may hold a process in the kernel, this child holds its pipes.
  spawn('sleep', ['20'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).unref();
  say({ begin: 'stays', seconds: 1 });
  for (;;);
}
say({ begin: 'next', seconds: 600 });
say({ found: 'next', finding: { ok: true } });`;
  const stays = await outcome(['group'], holding);
  expect(stays.found.map(({ step, ok, note }) => [step, ok, note])).toEqual([
    ['stays', false, 'it took more than 1 s, and its process does not end'],
    ['next', true, undefined],
  ]);
  const patient = PROGRAM.replaceAll('seconds: 1', 'seconds: 600');
  const { found } = await outcome(['group'], patient, 5);
  expect(found.map(({ step, note }) => [step, note])).toEqual([
    ['first', undefined],
    ['hangs', 'cut off: 5 seconds are over'],
    ['the rest', 'left out: 5 seconds are over'],
  ]);
}, 120_000);

describe('the environment of a driver', () => {
  it('has the bundle’s libraries where the machine lacks them, after those of the user, and keeps a driver that was named', () => {
    const bundled = mkdtempSync(join(folder, 'lib-'));
    writeFileSync(join(bundled, 'libnobody-has-this.so.1'), '');
    writeFileSync(join(bundled, 'libc.so.6'), '');
    const named = { LD_LIBRARY_PATH: '/opt/own', VK_DRIVER_FILES: '/opt/own/icd.json' };
    const { environment, notes } = driverEnvironment(named, bundled, join(folder, 'scratch'));
    expect(environment.LD_LIBRARY_PATH).toBe(`/opt/own:${join(folder, 'scratch', 'lib')}`);
    expect(environment.VK_DRIVER_FILES).toBe(named.VK_DRIVER_FILES);
    expect(notes).toEqual(['The machine lacks libnobody-has-this.so.1: those of the bundle are used.']);
  });

  it('makes a manifest where a container has NVIDIA’s driver and none is registered', () => {
    const own = mkdtempSync(join(folder, 'driver-'));
    const manifests = mkdtempSync(join(folder, 'manifests-'));
    writeFileSync(join(own, 'libEGL_nvidia.so.0'), '');
    const { environment } = driverEnvironment({ LD_LIBRARY_PATH: own }, undefined, join(folder, 'made'), [manifests]);
    const made = JSON.parse(readFileSync(environment.VK_DRIVER_FILES as string, 'utf8'));
    expect(made.ICD.library_path).toBe(join(own, 'libEGL_nvidia.so.0'));
    writeFileSync(join(manifests, 'some.json'), '{}');
    const registered = driverEnvironment({ LD_LIBRARY_PATH: own }, undefined, join(folder, 'kept'), [manifests]);
    expect(registered.environment.VK_DRIVER_FILES).toBeUndefined();
  });
});
