import { type BlockConfig, InputError } from '@/lib/checkpoint/types';
import { type ClassSpans, type PatchDirection, tokenClasses } from '@/lib/vocabulary';
import type { Span } from '../span';
import { type AlignedSpans, alignmentOf, requireSpan } from './alignment';
import { type Budget, budgetOf } from './budget';
import { type Columns, classColumns, EITHER, requireClasses, spanColumns, windowsOf } from './columns';
import type { Baseline } from './continuation';
import { requirePoint } from './hookPoints';
import type { Mixer, Part } from './points';
import { layersOf, type Outline, positionOf, type Question, requireQuestion } from './question';

export interface PatchRequest extends Question, Part {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  /**
   * `denoise` (default) carries the clean run into the corrupted prompt and asks what brings the answer back; `noise` carries the
   * corrupted run into the clean prompt and asks what breaks it.
   */
  readonly direction?: PatchDirection;
  /** Which tokens stand for each other; default: each for the one at its place. */
  readonly align?: readonly AlignedSpans[];
  /**
   * What is taken from the one run:
   *
   * - a hook point of the block with one row per token (docs/hooks.md), such as `hook_resid_pre` or `mixer_1.hook_delta`;
   * - `hook_h`: the state S_t after token t, which token t itself and every later one read;
   * - `ssm`, `conv`: what decoding remembers after the span, its state or the last K−1 inputs of its convolution, which
   *   only later tokens read.
   */
  readonly point: string;
  /** One mixer of differential blocks; default: the point wherever the block has it. */
  readonly mixer?: Mixer;
  /** Default: all. */
  readonly layers?: readonly number[];
  /** Layers that follow each other among those chosen and are patched together; default 1. */
  readonly window?: number;
  /** Token spans of the prompt that receives, each patched as a whole; default: every aligned token by itself. */
  readonly spans?: readonly Span[];
  /** Classes of tokens instead, each patched as a whole: spans of the clean prompt. Tokens without a counterpart are in none. */
  readonly classes?: ClassSpans;
  /** Position that is read, in the prompt that receives; default −1, the last. */
  readonly position?: number;
  /** Bytes beside the weights; default 1 GiB. */
  readonly memory?: number;
}

/** A patching request, checked against its model. */
export interface PatchPlan extends Columns {
  /** Rows: the layers that are patched together. */
  readonly windows: readonly (readonly number[])[];
  readonly direction: PatchDirection;
  /** Of every token of the receiving prompt up to the position that is read: its place in the source's, or −1. */
  readonly counterpart: Int32Array;
  readonly position: number;
  readonly sourcePosition: number;
  readonly budget: Budget;
}

export interface PatchInputs extends PatchPlan {
  /** The run that values are taken from, and the one that they are carried into. */
  readonly source: Baseline;
  readonly receiver: Baseline;
  /** Takes the logits [V] of a row (as index into `windows`) and a column (as index into `spans`). */
  readonly receive: (row: number, column: number, logits: Float32Array) => void;
}

/** @throws InputError */
export function patchPlan(model: Outline, request: PatchRequest): PatchPlan {
  const { clean, corrupted } = request;
  requireQuestion(model, request);
  if (request.channels && request.heads) throw new InputError('Choose channels or heads to patch, not both.');
  const layers = layersOf(model, request.layers);
  requirePoint(model, layers, request);
  const direction = request.direction ?? 'denoise';
  const { source, receiver } = rolesOf(request);
  const what = `${receiver.name} prompt`;
  const position = positionOf(request.position ?? -1, receiver.tokens.length, what);
  const onClean = alignmentOf(clean.length, corrupted.length, request.align);
  const aligned = direction === 'denoise' ? onClean : inverse(onClean, clean.length);
  const last = source.tokens.length - 1;
  const sourcePosition = position === receiver.tokens.length - 1 ? last : aligned[position];
  if (sourcePosition < 0)
    throw new InputError(
      `Token ${position} of the ${what}, which is read, is aligned with none of the ${source.name} one.`,
    );
  const counterpart = aligned.slice(0, position + 1).map((place) => (place <= sourcePosition ? place : -1));
  if (request.spans && request.classes) throw new InputError(EITHER);
  const columns = request.classes
    ? classesOn(request.classes, counterpart, direction, direction === 'denoise' ? sourcePosition : position)
    : spanColumns(request.spans ?? singles(counterpart));
  if (columns.spans.length === 0) throw new InputError('The prompts have no aligned tokens: nothing can be patched.');
  for (const span of columns.sets.flat()) {
    requireSpan(`${what} up to the position that is read`, span, position + 1);
    for (let p = span[0]; p < span[1]; p++)
      if (counterpart[p] < 0)
        throw new InputError(`Token ${p} of the ${what} is aligned with none of the ${source.name} one: leave it out.`);
  }
  const windows = windowsOf(layers, request.window);
  const remembered = request.point === 'ssm' || request.point === 'conv';
  if (remembered && windows[0].length > 1)
    throw new InputError(
      `${request.point} is what decoding remembers after a span and is patched one layer at a time: leave the window out, or take hook_h.`,
    );
  if (remembered && columns.sets.some((set) => set.length > 1))
    throw new InputError(
      `${request.point} is what decoding remembers after a span, and a class has several: take spans, or hook_h.`,
    );
  const L = Math.max(position, sourcePosition) + 1;
  const withStates = /(^|\.)hook_h$/.test(request.point) || request.point === 'ssm';
  const states = withStates ? Math.max(...model.config.blocks.map(stateValues)) : 0;
  const budget = budgetOf(model.config, {
    L,
    wanted: remembered ? layers.length : columns.spans.length,
    prompts: 2,
    extra: { fixed: (2 + windows[0].length) * L * states, perRow: 6 * states },
    limit: request.memory,
  });
  return { windows, ...columns, direction, counterpart, position, sourcePosition, budget };
}

/** Which prompt values are taken from, and which they are carried into. */
export function rolesOf({
  clean,
  corrupted,
  direction = 'denoise',
}: Pick<PatchRequest, 'clean' | 'corrupted' | 'direction'>) {
  const [good, bad] = [
    { name: 'clean', tokens: clean },
    { name: 'corrupted', tokens: corrupted },
  ];
  return direction === 'denoise' ? { source: good, receiver: bad } : { source: bad, receiver: good };
}

/** The tokens of the second prompt for those of the first, where there are `length` of them. */
function inverse(counterpart: Int32Array, length: number): Int32Array {
  const back = new Int32Array(length).fill(-1);
  counterpart.forEach((place, p) => {
    if (place >= 0) back[place] = p;
  });
  return back;
}

/** Classes of the clean prompt's tokens, at the places of the prompt that receives. @param read in the clean prompt */
function classesOn(classes: ClassSpans, counterpart: Int32Array, direction: PatchDirection, read: number): Columns {
  requireClasses(classes, read + 1, 'clean prompt');
  const names = tokenClasses(read + 1, classes);
  return classColumns(
    [...counterpart].map((place, p) => (place < 0 ? undefined : names[direction === 'denoise' ? place : p])),
  );
}

const singles = (counterpart: Int32Array): Span[] =>
  [...counterpart].flatMap((place, p): Span[] => (place < 0 ? [] : [[p, p + 1]]));

/** Values of the states of a block after one token. */
const stateValues = ({ mixer: { E, N } }: BlockConfig): number => 2 * E * N;
