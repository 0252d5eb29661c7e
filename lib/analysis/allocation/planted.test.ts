import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTensorflowInstalled } from '@/kernels/tensorflow/load';
import { isDifferentialKind } from '@/lib/architectures';
import { BLOCK_KINDS, type SingleKind, saveCheckpoint } from '@/lib/checkpoint';
import { outcomeOf } from '@/lib/cli/testing';
import { openDevice } from '@/lib/engine';
import { createModel } from '@/lib/models';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { needs, TENSORFLOW } from '@/testing/needs';
import {
  PLANTED_EXAMPLES,
  PLANTED_TOKENIZER,
  type Plan,
  plantedCheckpoint,
  plantedExamples,
  plantedReads,
} from '../testing/plantedModel';
import { type AllocationRequest, allocation, classesOf, type PartSummary, summariseAllocation } from '.';

const FIRST = { needle: 1, competing: 0.8, filler: 0.25, question: 0.1, self: 0.2 };
const SECOND = { needle: 0.1, competing: 0.8, filler: 0.2, question: 0.3, self: 0 };

const plan = (kind: SingleKind): Plan =>
  isDifferentialKind(kind)
    ? { kind, first: FIRST, second: SECOND, lambda: kind === 'diff_s6' ? 1 : 0.9 }
    : { kind, first: FIRST };

/** Shares of the classes that have tokens, and of the needle in the context. */
function sharesOf(request: AllocationRequest, reads: readonly number[]) {
  const classes = classesOf(reads.length, request);
  const sum = (of: (place: TokenClass) => boolean, power = 1) =>
    reads.reduce((total, read, j) => total + (of(TOKEN_CLASSES[classes[j]]) ? read ** power : 0), 0);
  const all = (power: number) => sum(() => true, power);
  const present = TOKEN_CLASSES.filter((name) => [...classes].includes(TOKEN_CLASSES.indexOf(name)));
  const context = sum((name) => name !== 'question' && name !== 'self');
  return {
    norm_share: Object.fromEntries(present.map((name) => [name, sum((each) => each === name) / all(1)])),
    // The parts are at right angles.
    projection_share: Object.fromEntries(present.map((name) => [name, sum((each) => each === name, 2) / all(2)])),
    needle_against_context: sum((name) => name === 'needle') / context,
  };
}

function expectShares(found: PartSummary | undefined, wanted: ReturnType<typeof sharesOf>, what: string): void {
  for (const share of ['norm_share', 'projection_share'] as const)
    for (const [name, value] of Object.entries(wanted[share]))
      expect(
        Math.abs((found?.[share][name as TokenClass]?.mean ?? Number.NaN) - value),
        `${what} ${share} ${name}`,
      ).toBeLessThan(1e-3);
  const against = found?.needle_against_context?.mean ?? Number.NaN;
  expect(Math.abs(against - wanted.needle_against_context), what).toBeLessThan(1e-3);
}

const DEVICES = [
  ['native', true],
  ['cpu', true],
  ['tensorflow', isTensorflowInstalled()],
] as const;

describe.each(DEVICES)('planted models of every kind on %s', (device, there) => {
  describe('are read as they were planted', needs(there, TENSORFLOW), () => {
    beforeAll(async () => {
      await openDevice({ device });
    });

    it.each(BLOCK_KINDS)('%s', (kind) => {
      const examples = plantedExamples().slice(0, 4);
      const model = createModel(plantedCheckpoint(plan(kind)));
      for (const request of examples) {
        const { net, first, second } = plantedReads(plan(kind), request.tokens);
        const found = summariseAllocation([[allocation(model, request)[0]]], undefined);
        expect(found.reconstruction_error).toBeLessThan(1e-5);
        expectShares(found.net, sharesOf(request, net), `${kind} net`);
        expect(found.branch_1 !== undefined).toBe(second !== undefined);
        if (!second) continue;
        expectShares(found.branch_1, sharesOf(request, first), `${kind} branch 1`);
        expectShares(found.lambda_branch_2, sharesOf(request, second), `${kind} λ · branch 2`);
      }
      model.dispose();
    });
  });
});

describe('statescope allocation of a planted model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statescope-planted-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['native', 'cpu'] as const)('gives the same shares on --device %s', async (device) => {
    const own = plan('diff_s6');
    const { config, tensors } = plantedCheckpoint(own);
    await saveCheckpoint(join(folder, device), config, tensors, { tokenizerPath: PLANTED_TOKENIZER });
    const args = ['--model', join(folder, device), '--examples', PLANTED_EXAMPLES, '--device', device, '--json'];
    const { code, out, err } = await outcomeOf('allocation', ...args);
    expect(code, err).toBe(0);
    const [layer] = JSON.parse(out).models[0].layers;
    // Prompts weigh alike: the mean of the prompts' shares.
    const examples = plantedExamples();
    const shares = examples.map((request) => sharesOf(request, plantedReads(own, request.tokens).net).norm_share);
    for (const name of ['needle', 'competing', 'filler', 'question', 'self']) {
      const mean = shares.reduce((sum, share) => sum + share[name], 0) / shares.length;
      expect(Math.abs(layer.net.norm_share[name].mean - mean), name).toBeLessThan(1e-3);
    }
  });
});
