import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { NAME, packBundle } from './bundle.mjs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const MOST_BYTES = 60e6;

/** Other work on the machine may make a minute of processor time many of waiting. */
const PATIENCE = 30 * 60_000;

const folder = mkdtempSync(join(tmpdir(), 'statescope-bundle-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the bundle for a machine with a GPU', needs(process.arch === 'x64' && existsSync(DRIVER), ADAPTER), () => {
  it(
    'fits into 60 MB and runs in an empty folder, without Node, packages, loader or environment',
    async () => {
      const archive = join(folder, 'bundle.tar.gz');
      expect(await packBundle(archive)).toBeLessThan(MOST_BYTES);
      expect(spawnSync('tar', ['-xzf', archive, '-C', folder]).status).toBe(0);
      const { glibc } = JSON.parse(readFileSync(join(folder, NAME, 'manifest.json'), 'utf8'));
      // Dawn is the same wherever the bundle is made.
      expect(readFileSync('docs/gpu.md', 'utf8')).toContain(`glibc ${glibc.with_own_libraries} with`);
      expect(readFileSync(join(folder, NAME, 'check'), 'utf8')).toContain(`glibc ${glibc.bare} or newer`);
      const { status, stdout, stderr } = spawnSync(join(folder, NAME, 'check'), ['--small'], {
        cwd: folder,
        env: { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER } as unknown as NodeJS.ProcessEnv,
        encoding: 'utf8',
        timeout: PATIENCE,
      });
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      const lines = readFileSync(join(folder, 'gpu-results', 'results.jsonl'), 'utf8')
        .trim()
        .split('\n');
      const found = lines.map((line) => JSON.parse(line));
      expect(found.every(({ ok }) => ok)).toBe(true);
      const about = (group: string, step: string) =>
        found.filter((one) => one.group === group && one.step.startsWith(step));
      expect(about('machine', 'adapter')[0].description).toContain('SwiftShader');
      expect(about('machine', 'its own')[0].gb_s).toBeGreaterThan(0);
      expect(about('operations', 'selectiveScan')[0].gradient).toBeGreaterThan(0);
      const otherwise = about('operations without subgroups', '').map(({ error }) => error);
      expect(otherwise).not.toEqual([]);
      for (const error of otherwise) expect(error).toBeLessThan(1e-5);
      for (const command of ['run', 'generate', 'grad', 'attention']) expect(about('models', command)).not.toEqual([]);
      const [forward] = about('tiny Diff-Mamba-2', 'forward');
      expect(forward).toMatchObject({ reads: 0, launches: expect.any(Number) });
      for (const { gpu_ms, wall_ms, derived_ms, launches } of found.filter((one) => one.launches)) {
        expect(gpu_ms).toBeGreaterThan(0);
        expect(derived_ms).toBeGreaterThan(0);
        expect(wall_ms).toBeGreaterThan(0);
        expect(launches).toBeGreaterThan(0);
      }
    },
    PATIENCE,
  );

  it(
    'says in a line for each group that there is no adapter, where there is none',
    () => {
      const out = join(folder, 'without');
      const { status } = spawnSync(join(folder, NAME, 'check'), ['--small', '--out', out], {
        cwd: folder,
        env: { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' } as unknown as NodeJS.ProcessEnv,
        timeout: PATIENCE,
      });
      expect(status).toBe(1);
      const lines = readFileSync(join(out, 'results.jsonl'), 'utf8').trim().split('\n');
      const found = lines.map((line) => JSON.parse(line));
      expect(found.map(({ group, ok }) => [group, ok])).toEqual([
        ['machine', false],
        ['operations', false],
        ['operations without subgroups', false],
        ['models', false],
        ['tiny Diff-Mamba-2', false],
        ['PyTorch', true],
      ]);
      expect(found[0].note).toContain('finds no adapter');
    },
    PATIENCE,
  );
});
