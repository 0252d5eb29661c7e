import {
  type AttentionMap,
  type BlockCache,
  type Branch,
  differenceOf,
  lambdaTimes,
  parseReduction,
  type Reduction,
  type S6Inputs,
  scanAttention,
} from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import type { Io } from './io';
import { words } from './parse';

/** The reductions of `--reduce`; `head:all` stands for every head of a block. */
export type Reductions = readonly (Reduction | 'head:all')[];

export const reductionsOf = (text: string): Reductions =>
  words('--reduce')(text).map((word) => (word === 'head:all' ? word : parseReduction(word)));

export interface NamedMap extends AttentionMap {
  /** Name of the tensor in the file. */
  readonly key: string;
  readonly ms: number;
}

/**
 * Every map of a block that exists among the reductions and branches. Differences are of means only: single channels and
 * heads of two branches do not belong together. Each branch's map is computed once.
 */
export function* blockMaps(
  block: BlockCache,
  reductions: Reductions,
  branches: readonly Branch[],
  io: Io,
): Generator<NamedMap, void, void> {
  const prefix = `blocks.${block.index}`;
  const [inputs] = block.scans.values();
  for (const reduction of existing(inputs, reductions)) {
    const made = scanMaps(block, reduction);
    const suffix = suffixOf(reduction);
    const single = block.scans.has('single');
    for (const branch of single ? (['single'] as const) : branches)
      yield* timed(io, () => {
        if (branch === 'single') return { key: `${prefix}.s6.${suffix}`, ...made('single') };
        if (branch !== 'diff' && branch !== 'lambda_mixer_2')
          return { key: `${prefix}.${branch}.s6.${suffix}`, ...made(branch) };
        if (branch === 'lambda_mixer_2')
          return { key: `${prefix}.${branch}.s6.${suffix}`, ...lambdaTimes(made('mixer_2'), block) };
        if (reduction.how === 'channel' || reduction.how === 'head') return null;
        return { key: `${prefix}.diff.s6_${suffix}`, ...differenceOf(made('mixer_1'), made('mixer_2'), block) };
      });
  }
}

function* timed(io: Io, make: () => Omit<NamedMap, 'ms'> | null): Generator<NamedMap, void, void> {
  const start = performance.now();
  try {
    const map = make();
    if (map) yield { ...map, ms: performance.now() - start };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.err(`left out: ${error.message}\n`);
  }
}

/** The maps of a block's scans, each computed when first asked for. */
function scanMaps(block: BlockCache, reduction: Reduction): (scan: 'single' | 'mixer_1' | 'mixer_2') => AttentionMap {
  const made = new Map<string, AttentionMap>();
  return (scan) => {
    const known = made.get(scan);
    if (known) return known;
    const map = scanAttention(block.scans.get(scan) as S6Inputs, reduction);
    made.set(scan, map);
    return map;
  };
}

function existing(inputs: S6Inputs, reductions: Reductions): Reduction[] {
  const heads = inputs.family === 'mamba2' ? inputs.H : 0;
  const channels = inputs.family === 'mamba1' ? inputs.E : 0;
  const all = Array.from({ length: heads }, (_, index): Reduction => ({ how: 'head', index }));
  const unique = new Map(
    reductions.flatMap((each) => (each === 'head:all' ? all : [each])).map((each) => [suffixOf(each), each]),
  );
  return [...unique.values()].filter((each) => {
    if (each.how === 'head') return each.index < heads;
    return each.how === 'channel' ? each.index < channels : true;
  });
}

const suffixOf = (reduction: Reduction) =>
  reduction.how === 'channel' || reduction.how === 'head' ? `${reduction.how}.${reduction.index}` : reduction.how;
