import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { outcomeOf } from './testing';

it('says that there is no sweep yet', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'statescope-sweeps-'));
  vi.stubEnv('STATESCOPE_DATA', folder);
  vi.stubEnv('DATABASE_URL', '');
  const { code, out } = await outcomeOf('sweep', 'status');
  expect([code, out]).toEqual([0, 'No sweep has been made with this database.\n']);
  expect(JSON.parse((await outcomeOf('sweep', 'status', '--json')).out)).toEqual([]);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
