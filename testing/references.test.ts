import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { BLOCK_KINDS } from '@/lib/checkpoint/types';
import { needs } from './needs';
import { caseOf, FULL_SET, MODEL_SETS } from './references';

const [full, committed] = MODEL_SETS;
const cases = readdirSync(committed).filter((name) => existsSync(join(committed, name, 'case.json')));

describe('the reference cases of the repository', () => {
  it('hold every kind of block, with activations and with maps', () => {
    const kinds = (holding: string) =>
      new Set(
        cases
          .filter((name) => existsSync(join(committed, name, holding)))
          .flatMap((name): string[] => caseOf(join(committed, name)).blocks),
      );
    for (const holding of ['expected.safetensors', 'attention.safetensors'])
      expect([...kinds(holding)].sort(), holding).toEqual([...BLOCK_KINDS].sort());
  });

  it.each(cases)('%s has nothing that the full set does not have', needs(existsSync(full), FULL_SET), async (name) => {
    for (const file of readdirSync(join(committed, name)).filter((file) => file.endsWith('.safetensors'))) {
      const whole = await readSafetensors(join(full, name, file));
      for (const [key, tensor] of await readSafetensors(join(committed, name, file)))
        expect(tensor, `${file}, ${key}`).toEqual(whole.get(key));
    }
  });
});
