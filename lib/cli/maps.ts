import {
  type AttentionInputs,
  type AttentionMap,
  attentionBlockForm,
  type BlockCache,
  blockForm,
  branchesOf,
  type ContributionMap,
  differenceOf,
  isSoftmax,
  lambdaTimes,
  logitForm,
  type MapForm,
  mixerBranchesOf,
  normForm,
  type Operator,
  parseReduction,
  type Reduction,
  requireFinite,
  type S6Inputs,
  type ScanBranch,
  type ScanParameters,
  scanAttention,
  scanOf,
  softmaxMap,
  type Without,
} from '@/lib/analysis';
import { isDifferentialKind } from '@/lib/architectures';
import { InputError } from '@/lib/checkpoint';
import type { Branch } from '@/lib/vocabulary';
import type { Io } from './io';
import { words } from './parse';

export type Form = MapForm;

/** The reductions of `--reduce`; `head:all` stands for every head of a block. */
export type Reductions = readonly (Reduction | 'head:all')[];

export const reductionsOf = (text: string): Reductions =>
  words('--reduce')(text).map((word) => (word === 'head:all' ? word : parseReduction(word)));

/** What is asked of one block. */
export interface MapRequest {
  readonly forms: readonly Form[];
  readonly reductions: Reductions;
  readonly branches: readonly Exclude<Branch, 'single'>[];
  /** Whether `branches` were asked for by name; blocks of attention beside a scan show theirs and the whole otherwise. */
  readonly named: boolean;
  /** Whether differences of single channels and heads are wanted. */
  readonly partsOfDifference: boolean;
  readonly without: Without;
  /** Directions of the logit form by token. */
  readonly directions: ReadonlyMap<number, Float32Array>;
}

/** A tensor of the output file: a map [L,L], or a term that belongs to one [L]. */
export interface NamedMap {
  readonly key: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly reconstructionError: number;
  readonly convention: string;
  readonly ms: number;
}

type Made = readonly [
  key: string,
  map: AttentionMap | ContributionMap,
  term?: readonly [key: string, values?: Float32Array],
];

/**
 * Every map of a block that exists among what is asked. Differences of s6 and block maps are of reductions over all channels,
 * unless they were asked for by name: single channels and heads of two branches do not belong together.
 * @param parameters needed by every form but s6
 */
export function* blockMaps(
  block: BlockCache,
  parameters: Operator | undefined,
  request: MapRequest,
  io: Io,
): Generator<NamedMap, void, void> {
  for (const form of request.forms) {
    const branches = branchesFor(block, form, request);
    if (form === 's6' || form === 'softmax')
      yield* channelMaps(
        block,
        request,
        branches,
        io,
        form === 's6' ? s6Names : softmaxNames,
        scanAttention,
        softmaxMap,
      );
    else if (!parameters) throw new Error(`The form ${form} needs the parameters of the block.`);
    else if (form === 'block') {
      const make = (inputs: S6Inputs, reduction: Reduction, scan: ScanBranch) =>
        blockForm(inputs, parameters.scans.get(scan) as ScanParameters, reduction, request.without);
      const attended = (inputs: AttentionInputs, reduction: Reduction) =>
        attentionBlockForm(inputs, reduction, request.without);
      yield* channelMaps(block, request, branches, io, blockNames(request.without), make, attended);
    } else yield* contributionMaps(block, parameters, request, branches, form, io);
  }
}

/** The branches that are asked for and that the block has in a form. */
function branchesFor({ kind, attention }: BlockCache, form: Form, { branches, named }: MapRequest): readonly Branch[] {
  const exact = form === 'logit' || form === 'norm';
  const all = exact ? branchesOf(kind) : mixerBranchesOf(kind);
  const wanted = all.includes('diff') || (attention && all.length > 1 && named) ? branches : all;
  const own = wanted.filter((branch) => all.includes(branch));
  if (form === 's6') return own.filter((branch) => !isSoftmax(kind, branch));
  return form === 'softmax' ? own.filter((branch) => isSoftmax(kind, branch)) : own;
}

function* contributionMaps(
  block: BlockCache,
  parameters: Operator,
  { directions }: MapRequest,
  branches: readonly Branch[],
  form: 'logit' | 'norm',
  io: Io,
): Generator<NamedMap, void, void> {
  for (const branch of branches) {
    const at = `blocks.${block.index}.${branch === 'single' || branch === 'diff' ? '' : `${branch}.`}`;
    if (form === 'norm') {
      const name = branch === 'diff' || (branch === 'single' && isDifferentialKind(block.kind)) ? 'diff.norm' : 'norm';
      yield* timed(io, () => [`${at}${name}`, normForm(block, parameters, branch)]);
      continue;
    }
    for (const [token, direction] of directions)
      yield* timed(io, () => {
        const map = logitForm(block, parameters, direction, branch);
        return [`${at}logit.${token}`, map, [`${at}logit_rest.${token}`, map.rest]];
      });
  }
}

/** Names of the maps of one form, after `blocks.i.`. */
interface Names {
  readonly channels: 'all' | 'mamba1';
  readonly of: (branch: Branch, suffix: string) => string;
  readonly bias?: (branch: Branch, channel: number) => string;
}

const under = (branch: Branch) => (branch === 'single' ? '' : `${branch}.`);

const softmaxNames: Names = { channels: 'mamba1', of: (branch, suffix) => `${under(branch)}softmax.${suffix}` };

const s6Names: Names = {
  channels: 'mamba1',
  of: (branch, suffix) => (branch === 'diff' ? `diff.s6_${suffix}` : `${under(branch)}s6.${suffix}`),
};

function blockNames(without: Without): Names {
  const ablated = without.size === 0 ? '' : `without_${[...without].join('_')}.`;
  return {
    channels: 'all',
    of: (branch, suffix) => `${under(branch)}${branch === 'diff' ? '' : 'block.'}${ablated}${suffix}`,
    bias: (branch, channel) => `${under(branch)}block.${ablated}bias.${channel}`,
  };
}

type OneMap = AttentionMap & { readonly bias?: Float32Array };

type MakeAttended = (inputs: AttentionInputs, reduction: Reduction) => OneMap;

type Make = (
  inputs: S6Inputs,
  reduction: Reduction,
  scan: ScanBranch,
) => AttentionMap & { readonly bias?: Float32Array };

function* channelMaps(
  block: BlockCache,
  { reductions, partsOfDifference }: MapRequest,
  branches: readonly Branch[],
  io: Io,
  names: Names,
  make: Make,
  attended: MakeAttended,
): Generator<NamedMap, void, void> {
  for (const reduction of unique(block, reductions)) {
    const made = remembered((branch: Branch): OneMap => {
      if (block.attention && isSoftmax(block.kind, branch)) return attended(block.attention, reduction);
      return make(block.scans.get(scanOf(branch)) as S6Inputs, reduction, scanOf(branch));
    });
    const suffix = suffixOf(reduction);
    for (const branch of branches.filter((each) => exists(partsOf(block, each, names.channels), reduction)))
      yield* timed(io, (): Made | null => {
        const key = `blocks.${block.index}.${names.of(branch, suffix)}`;
        if (branch === 'lambda_mixer_2') return [key, lambdaTimes(made('mixer_2'), block)];
        if (branch !== 'diff') {
          const map = made(branch);
          if (reduction.how !== 'channel' || !names.bias) return [key, map];
          return [key, map, [`blocks.${block.index}.${names.bias(branch, reduction.index)}`, map.bias]];
        }
        if (!partsOfDifference && (reduction.how === 'channel' || reduction.how === 'head')) return null;
        return [key, differenceOf(made('mixer_1'), made('mixer_2'), block)];
      });
  }
}

/** Measures what a map costs; one that a block cannot have is left out with a note. */
function* timed(io: Io, make: () => Made | null): Generator<NamedMap, void, void> {
  const start = performance.now();
  let made: Made | null;
  try {
    made = make();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.err(`left out: ${error.message}\n`);
    return;
  }
  if (!made) return;
  const [key, { map, L, reconstructionError, convention }, term] = made;
  requireFinite({ reconstructionError }, key);
  const about = { reconstructionError, convention, ms: performance.now() - start };
  yield { key, shape: [L, L], data: map, ...about };
  if (term?.[1]) yield { key: term[0], shape: [L], data: term[1], ...about };
}

function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** The reductions of a block, each once: those of every head that any of its mixers has. */
function unique({ scans, attention }: BlockCache, reductions: Reductions): Reduction[] {
  const heads = [...scans.values()].map((inputs) => (inputs.family === 'mamba2' ? inputs.H : 0));
  const most = Math.max(0, attention?.H ?? 0, ...heads);
  const all = Array.from({ length: most }, (_, index): Reduction => ({ how: 'head', index }));
  const named = reductions.flatMap((each) => (each === 'head:all' ? all : [each]));
  return [...new Map(named.map((each) => [suffixOf(each), each])).values()];
}

/** Heads and channels of which a branch has maps. */
function partsOf({ kind, scans, attention }: BlockCache, branch: Branch, withChannels: 'all' | 'mamba1') {
  if (attention && isSoftmax(kind, branch))
    return { head: attention.H, channel: withChannels === 'all' ? attention.H * attention.D : 0 };
  const [inputs] = scans.values();
  const head = inputs.family === 'mamba2' ? inputs.H : 0;
  return { head, channel: inputs.family === 'mamba1' || withChannels === 'all' ? inputs.E : 0 };
}

const exists = (parts: { readonly head: number; readonly channel: number }, reduction: Reduction): boolean =>
  reduction.how !== 'head' && reduction.how !== 'channel' ? true : reduction.index < parts[reduction.how];

const suffixOf = (reduction: Reduction) =>
  reduction.how === 'channel' || reduction.how === 'head' ? `${reduction.how}.${reduction.index}` : reduction.how;

/** Most maps that a block of this kind can give. */
export function mapsPerLayer({ forms, reductions, branches, directions }: MapRequest, heads: number): number {
  const reduced = reductions.reduce((sum, each) => sum + (each === 'head:all' ? heads : 1), 0);
  const perForm = { s6: reduced, softmax: reduced, block: reduced, logit: directions.size, norm: 1 };
  return forms.reduce((sum, form) => sum + perForm[form] * Math.max(1, branches.length), 0);
}
