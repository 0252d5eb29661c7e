import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '@/lib/engine';
import { Catalogue } from './catalogue';
import { LoadedModels } from './loaded-models';

const root = mkdtempSync(join(tmpdir(), 'statescope-loaded-'));
const catalogue = new Catalogue(root, null);

beforeAll(async () => {
  await openDevice({ device: 'cpu' });
  const example = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');
  for (const name of ['a', 'b']) cpSync(example, join(root, 'models', name), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a model that will be needed soon', () => {
  it('is loaded while another is used, and is there when its turn comes', async () => {
    const told: string[][] = [];
    const models = new LoadedModels(catalogue, 2 ** 30, 'float32', (names) => told.push(names));
    await models.use('a', async () => {
      await models.ahead('b');
      expect(models.has('b')).toBe(true);
    });
    const loadings = told.length;
    await models.use('b', async () => undefined);
    expect(told.length).toBe(loadings);
  });

  it('waits where both do not fit, and is no error before its turn', async () => {
    const bytes = 4 * (await catalogue.parameters('a'));
    const models = new LoadedModels(catalogue, bytes + 1, 'float32', () => undefined);
    await models.use('a', async () => {
      await models.ahead('b');
      await models.ahead('nobody');
      expect(models.has('b')).toBe(false);
    });
    await expect(models.use('nobody', async () => undefined)).rejects.toMatchObject({ status: 404 });
  });
});
