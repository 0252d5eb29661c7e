import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { isDifferential } from '@/lib/checkpoint';
import { parseSnrExamples, readerOf } from '@/lib/data/snr-examples';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { loadTokenizer } from '@/lib/tokenizer';
import { CONTEXT_CLASSES, TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { normForm, operatorOf } from '..';
import { residualsOf } from '../residuals';
import type { Branch } from '../s6Attention';
import { drain } from '../steps';
import { blocksOf, bundledCase, loadModel } from '../testing/fixtures';
import { randomCases, randomModel } from '../testing/randomModel';
import {
  type AllocationRequest,
  allocation,
  allocationBatchSteps,
  allocationFrom,
  allocationSteps,
  answered,
  type ByClass,
  classesOf,
  directionOf,
  keptReads,
  type LayerReads,
  type PartSummary,
  pairedDifference,
  type Resampled,
  summariseAllocation,
} from '.';

beforeAll(async () => {
  await openDevice();
});

const PLANTED = join(process.cwd(), 'lib/analysis/testing/planted');

const resampling = (): Resampled => ({ prompts: new Random(1), seeds: new Random(2), resamples: 50 });

async function planted(name: string): Promise<{ model: Model; examples: AllocationRequest[] }> {
  const folder = join(PLANTED, name);
  const lines = readFileSync(join(folder, 'examples.jsonl'), 'utf8');
  const reader = async () => readerOf(await loadTokenizer(join(folder, 'tokenizer.json')));
  const examples = await parseSnrExamples(lines, name, reader);
  return { model: await loadModel(folder), examples: examples as AllocationRequest[] };
}

interface Expected {
  readonly norm_share: Partial<Record<TokenClass, number>>;
  readonly projection_share?: Partial<Record<TokenClass, number>>;
  readonly needle_against_context: number;
}

const PARTS = ['net', 'branch_1', 'lambda_branch_2'] as const;

function expectPart(found: PartSummary | undefined, expected: Expected): void {
  for (const share of ['norm_share', 'projection_share'] as const)
    for (const [name, value] of Object.entries(expected[share] ?? {}))
      expect(found?.[share][name as TokenClass]?.mean, `${share} ${name}`).toBeCloseTo(value, 3);
  expect(found?.needle_against_context?.mean).toBeCloseTo(expected.needle_against_context, 3);
}

/** What a batch of prompts that weigh alike reads: ratios of sums of the prompts' shares. */
function over(prompts: readonly Expected[]): Expected {
  const sum = (name: TokenClass) => prompts.reduce((total, { norm_share: share }) => total + (share[name] ?? 0), 0);
  const context = CONTEXT_CLASSES.reduce((total, name) => total + sum(name), 0);
  const names = TOKEN_CLASSES.filter((name) => prompts[0].norm_share[name] !== undefined);
  return {
    norm_share: Object.fromEntries(names.map((name) => [name, sum(name) / prompts.length])),
    needle_against_context: sum('needle') / context,
  };
}

describe.each(['mamba1', 'mamba2', 'diff-mamba2'])('a planted model, %s', (name) => {
  it('reads what was planted, prompt by prompt and over all', async () => {
    const { model, examples } = await planted(name);
    const wanted = JSON.parse(readFileSync(join(PLANTED, name, 'expected.json'), 'utf8'));
    const reads = drain(allocationBatchSteps(model, examples));
    for (const [layer, { examples: each }] of wanted.layers.entries()) {
      for (const [k, expected] of each.entries()) {
        const found = summariseAllocation([[reads[k][layer]]], undefined);
        for (const part of PARTS) if (expected[part]) expectPart(found[part], expected[part]);
        expect(found.net.norm_share.needle?.low).toBeUndefined();
        expect(found.reconstruction_error).toBeLessThan(1e-5);
      }
      const batch = summariseAllocation([reads.map((prompt) => prompt[layer])], resampling());
      for (const part of PARTS) if (each[0][part]) expectPart(batch[part], over(each.map((one: never) => one[part])));
      expect(batch.tokens).toMatchObject({ self: 1 });
      const { needle } = batch.net.norm_share;
      expect(needle?.low).toBeLessThanOrEqual(needle?.mean ?? Number.NaN);
    }
    model.dispose();
  });
});

describe('the second branch of a planted model', () => {
  it('takes the noise away and leaves the needle', async () => {
    const { model, examples } = await planted('diff-mamba2');
    const reads = drain(allocationBatchSteps(model, examples)).map(([layer]) => layer);
    const { removed, cosine, rejection_db: rejection } = summariseAllocation([reads], resampling());
    expect(removed?.competing?.mean).toBeCloseTo(1, 3);
    expect(removed?.filler?.mean).toBeCloseTo(1, 3);
    expect(removed?.needle?.mean).toBeCloseTo(0, 3);
    expect(cosine?.filler?.mean).toBeCloseTo(1, 3);
    // Branch 2 reads nothing of the needle: no angle, not an angle of 0; half of a read is a quarter of its power.
    expect(cosine?.needle).toBeNull();
    expect(rejection?.needle?.mean).toBeCloseTo(10 * Math.log10(1 / 4), 2);
    expect(rejection?.filler?.mean ?? Number.POSITIVE_INFINITY).toBeGreaterThan(60);
    model.dispose();
  });
});

const spans = { needle: [0, 1] as const };

describe('reads of random models', () => {
  it('add up to what the block adds, and their norms are those of the norm form', () => {
    fc.assert(
      fc.property(randomCases(7), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const L = tokens.length;
        const caches = blocksOf(model, [[...tokens]]);
        for (const reads of allocation(model, { tokens, target: 3, foil: 7, ...spans })) {
          const { layer } = reads;
          expect(reads.reconstructionError).toBeLessThan(1e-4);
          const block = model.config.blocks[layer];
          const operator = operatorOf(model, caches[layer]);
          const rowOf = (branch: Branch) => normForm(caches[layer], operator, branch).map.subarray((L - 1) * L);
          const { branches } = reads;
          // Branches of one scan have no maps of their own.
          const parts =
            branches && caches[layer].scans.size > 1
              ? ([
                  ['diff', reads.net],
                  ['mixer_1', branches.first],
                  ['lambda_mixer_2', branches.second],
                ] as const)
              : ([['single', reads.net]] as const);
          expect(branches !== undefined).toBe(isDifferential(block));
          for (const [branch, { norm }] of parts) {
            const row = rowOf(branch);
            const total = row.reduce((sum, value) => sum + value, 0);
            expect(norm.reduce((sum, value) => sum + value, 0) / total).toBeCloseTo(1, 4);
            if (L > 1) expect(norm[TOKEN_CLASSES.indexOf('needle')] / total).toBeCloseTo(row[0] / total, 3);
          }
        }
        model.dispose();
      }),
      { numRuns: 12 },
    );
  });

  it('are those of branch 1 where λ is 0, and λ · branch 2 then has no share', () => {
    const model = randomModel({ kinds: ['diff_mamba2'], seed: 4, heads: 2, groups: 1, N: 3, K: 3 });
    const [first] = model.config.blocks;
    Object.assign(first, { lambda: { constant: 0 } });
    const [reads] = allocation(model, { tokens: [1, 5, 2, 9], target: 3, needle: [1, 2] });
    const found = summariseAllocation([[reads]], undefined);
    expect(found.net).toEqual(found.branch_1);
    expect(found.lambda_branch_2?.norm_share.needle).toBeNull();
    expect(found.lambda_branch_2?.needle_against_context).toBeNull();
    expect(found.removed?.needle?.mean).toBeCloseTo(0, 6);
    model.dispose();
  });

  it('leave nothing where both branches are the same: all is removed, and the rest has no share', () => {
    const model = randomModel({ kinds: ['diff_mamba2'], seed: 4, heads: 2, groups: 1, N: 3, K: 3 });
    const [block] = model.config.blocks;
    Object.assign(block, { lambda: { constant: 1 } });
    for (const [name, parameter] of model.parameters)
      if (name.includes('.mixer_2.'))
        parameter.assign(model.parameters.get(name.replace('mixer_2', 'mixer_1')) as never);
    const [reads] = allocation(model, { tokens: [1, 5, 2, 9], target: 3, needle: [1, 2] });
    const found = summariseAllocation([[reads]], undefined);
    expect(found.removed?.needle?.mean).toBe(1);
    expect(found.net.norm_share.needle).toBeNull();
    expect(found.net.projection_share.needle).toBeNull();
    model.dispose();
  });
});

describe('a run', () => {
  it('leaves no tensor behind, finished or stopped early, and runs every block once', () => {
    const model = randomModel({ kinds: ['diff_s6', 'mamba2', 'mamba1'], seed: 4, heads: 2, groups: 1, N: 3, K: 3 });
    const request = { tokens: [1, 5, 2, 9], target: 3, needle: [1, 2] as const, layers: [0, 2] };
    const before = tf.memory().numTensors;
    const steps = allocationSteps(model, request);
    expect([...steps]).toEqual([1, 1, 2].map((done) => ({ done, total: 2 })));
    expect(tf.memory().numTensors).toBe(before);
    const early = allocationSteps(model, request);
    early.next();
    early.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
    expect(allocation(model, request).map(({ layer }) => layer)).toEqual([0, 2]);
    model.dispose();
  });

  it('from kept streams gives what the pass itself gives', () => {
    const model = randomModel({ kinds: ['diff_mamba2', 'mamba1'], seed: 4, heads: 2, groups: 1, N: 3, K: 3 });
    const request = { tokens: [1, 5, 2, 9], target: 3, needle: [1, 2] as const };
    const kept = drain(allocationFrom(model, residualsOf(model, [request.tokens]), request));
    expect(kept).toEqual(allocation(model, request));
    model.dispose();
  });
});

/** The residual stream that leaves the last block at a token. */
function finalRow(model: Model, tokens: readonly number[], i: number): Float32Array {
  const { d, blocks } = model.config;
  return residualsOf(model, [[...tokens]]).streams[blocks.length].subarray(i * d, (i + 1) * d);
}

function expectSame(found: readonly LayerReads[], wanted: readonly LayerReads[]): void {
  expect(found).toHaveLength(wanted.length);
  for (const [k, { net, branches, ...own }] of wanted.entries()) {
    expect(found[k]).toMatchObject({ layer: own.layer, kind: own.kind, counts: own.counts });
    expect(found[k].reconstructionError).toBeLessThan(1e-4);
    const pairs = [
      [found[k].net, net],
      ...(branches
        ? [
            [found[k].branches?.first, branches.first],
            [found[k].branches?.second, branches.second],
          ]
        : []),
    ] as const;
    for (const [one, other] of pairs)
      for (const mass of ['norm', 'alti', 'logit'] as const) {
        const size = 1e-4 * Math.max(1e-3, ...(other?.[mass].map(Math.abs) ?? []));
        for (const [place, value] of (other?.[mass] ?? []).entries())
          expect(Math.abs((one?.[mass][place] ?? Number.NaN) - value)).toBeLessThan(size);
      }
  }
}

describe('reads from what a pass has kept', () => {
  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s are those of the pass itself', async (name) => {
    const model = await loadModel(bundledCase(name));
    const tokens = Array.from({ length: 12 }, (_, t) => (7 * t) % 23);
    const request = { tokens, target: 5, foil: 6, position: 9, needle: [2, 5] as const, question: [[6, 8] as const] };
    const classes = classesOf(10, request);
    const direction = directionOf(model, finalRow(model, tokens, 9), request);
    const kept = blocksOf(model, [tokens]).map((block) => answered(keptReads(model, block, classes), direction));
    expectSame(kept, allocation(model, request));
    model.dispose();
  });

  it('of random models are those of the pass itself, and leave nothing behind', () => {
    fc.assert(
      fc.property(randomCases(7), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const request = { tokens: tokens, target: 1, needle: [0, 1] as const };
        const L = tokens.length;
        const classes = classesOf(L, request);
        const direction = directionOf(model, finalRow(model, tokens, L - 1), request);
        const blocks = blocksOf(model, [[...tokens]]);
        const before = tf.memory().numTensors;
        const kept = blocks.map((block) => keptReads(model, block, classes));
        expect(tf.memory().numTensors).toBe(before);
        expectSame(
          kept.map((reads) => answered(reads, direction)),
          allocation(model, request),
        );
        model.dispose();
      }),
      { numRuns: 30 },
    );
  });
});

describe('classes of tokens', () => {
  const named = (L: number, given: Parameters<typeof classesOf>[1]) =>
    [...classesOf(L, given)].map((place) => TOKEN_CLASSES[place]);

  it('are the first that applies', () => {
    expect(named(8, { needle: [2, 3], competing: [[1, 3]], question: [[5, 6]] })).toEqual([
      'first',
      'competing',
      'needle',
      'filler',
      'filler',
      'question',
      'question',
      'self',
    ]);
    expect(named(3, { needle: [0, 2] })).toEqual(['needle', 'needle', 'self']);
  });

  it.each([[[3, 3]], [[4, 6]], [[-1, 2]]] as const)('refuse a needle that is no span of the prompt: %j', (needle) => {
    expect(() => classesOf(4, { needle: needle as never })).toThrow(/is no span of the 4 tokens/);
  });

  it('without tokens have no share, of a prompt and of a batch', async () => {
    const { model, examples } = await planted('mamba2');
    const [reads] = allocation(model, { ...examples[0], competing: [], question: [] });
    const { tokens, net } = summariseAllocation([[reads], [reads]], resampling());
    expect(tokens.competing).toBe(0);
    const absent: (keyof ByClass)[] = ['competing', 'question'];
    for (const name of absent) expect(net.norm_share[name]).toBeNull();
    expect(net.norm_share.filler).not.toBeNull();
    model.dispose();
  });
});

describe('two models on the same prompts', () => {
  it('differ by the difference of their ratios, and not at all from themselves, however many seeds each has', async () => {
    const plain = await planted('mamba2');
    const differential = await planted('diff-mamba2');
    const of = ({ model, examples }: typeof plain) =>
      drain(allocationBatchSteps(model, examples)).map(([layer]) => layer);
    const [a, b] = [of(plain), of(differential)];
    const value = (reads: typeof a) => summariseAllocation([reads], undefined).net.needle_against_context?.mean ?? 0;
    expect(pairedDifference([a], [b], resampling)?.mean).toBeCloseTo(value(b) - value(a), 10);
    const same = pairedDifference([a, a], [a], resampling);
    for (const each of [same?.mean, same?.low, same?.high]) expect(each).toBeCloseTo(0, 12);
    expect(CONTEXT_CLASSES).not.toContain('question');
    for (const { model } of [plain, differential]) model.dispose();
  });
});
