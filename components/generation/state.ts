import { create } from 'zustand';
import type { GeneratedToken, GenerationEvent } from '@/lib/api/generation';
import type { Continuation as PromptEnd } from '@/lib/api/schemas';
import { client } from '../data/client';
import { chosenModels } from '../data/view';
import { moveSpan } from '../state/edit';
import { isUnderWay, JobMachine, type JobState, type Transport, wordsOf } from '../state/job';
import { isBusy, runOrCancel } from '../state/request';
import { type ModelSlot, select, useSelection } from '../state/selection';

/** What one model adds to a prompt. */
export interface Continuation {
  readonly slot: ModelSlot;
  readonly model: string;
  readonly prompt: string;
  /** The end of the prompt where it was generated itself. */
  readonly end: PromptEnd | null;
  readonly tokens: readonly GeneratedToken[];
  readonly state: JobState;
  readonly queuePosition: number;
  readonly error?: string;
}

/** How tokens are chosen; null for no limit, and no temperature for always the best token. */
export interface Choice {
  readonly maxNewTokens: number;
  readonly temperature: number | null;
  readonly topK: number | null;
  readonly topP: number | null;
  readonly seed: number;
}

export interface GenerationStore {
  readonly choice: Choice;
  /** The text that is continued; null for the page's prompt. */
  readonly text: string | null;
  /** The end of that text where it was generated itself. */
  readonly textEnd: PromptEnd | null;
  readonly continuations: readonly Continuation[];
  /** Whether a link asks for its continuations again. */
  readonly wanted: boolean;
  /** Place of the token that the aside speaks of. */
  readonly shown: number;
}

export const INITIAL_CHOICE: Choice = { maxNewTokens: 20, temperature: null, topK: null, topP: null, seed: 0 };

export const useGeneration = create<GenerationStore>()(() => ({
  choice: INITIAL_CHOICE,
  text: null,
  textEnd: null,
  continuations: [],
  wanted: false,
  shown: 0,
}));

export const setChoice = (patch: Partial<Choice>): void =>
  useGeneration.setState(({ choice }) => ({ choice: { ...choice, ...patch } }));
export const setText = (text: string | null, textEnd: PromptEnd | null = null): void =>
  useGeneration.setState({ text, textEnd });
export const show = (shown: number): void => {
  if (useGeneration.getState().shown !== shown) useGeneration.setState({ shown });
};

/** The text of a continuation before the token at `index`, prompt included. */
export const textBefore = ({ prompt, tokens }: Pick<Continuation, 'prompt' | 'tokens'>, index: number): string =>
  prompt +
  tokens
    .slice(0, index)
    .map(({ piece }) => piece)
    .join('');

/** The first place at which two continuations have different tokens; undefined while they agree. */
export function partingPlace([a, b]: readonly Continuation[]): number | undefined {
  if (!a || !b) return undefined;
  const place = a.tokens.findIndex(({ text }, k) => b.tokens[k] !== undefined && b.tokens[k].text !== text);
  return place < 0 ? undefined : place;
}

export const isWorking = (continuations: readonly Continuation[]): boolean =>
  continuations.some(({ state }) => isUnderWay(state));

/** What a continuation is after one event. */
const afterEvent = (old: Continuation, { event, data }: GenerationEvent): Continuation =>
  event === 'token' ? { ...old, tokens: [...old.tokens, data] } : { ...old, queuePosition: data.queuePosition };

let machines: readonly JobMachine<GenerationEvent>[] = [];

/** Lets every chosen model continue the text; they take turns on the device. */
export function generate(): void {
  stopGenerating();
  const selection = useSelection.getState();
  const { choice, text, textEnd } = useGeneration.getState();
  const { maxNewTokens, temperature, topK, topP, seed } = choice;
  const prompt = text ?? selection.prompt;
  const end = text === null ? selection.continuation : textEnd;
  const limits = temperature === null ? {} : { temperature, top_k: topK ?? undefined, top_p: topP ?? undefined };
  const continuations = chosenModels(selection).map(
    (model, k): Continuation => ({
      slot: k === 0 ? 'A' : 'B',
      model,
      prompt,
      end,
      tokens: [],
      state: 'queued',
      queuePosition: 0,
    }),
  );
  useGeneration.setState({ continuations, wanted: false, shown: 0 });
  machines = continuations.map(({ slot, model }) => {
    const request = { model, prompt, continuation: end ?? undefined, max_new_tokens: maxNewTokens, ...limits, seed };
    const follow: Transport<GenerationEvent>['follow'] = (_id, tell, lost) => {
      const abort = new AbortController();
      client.generate(request, tell, abort.signal).catch(lost);
      return () => abort.abort();
    };
    return new JobMachine({ follow }, (status, events) => {
      const { state } = status;
      const change = (old: Continuation) => ({
        ...events.reduce(afterEvent, old),
        state,
        error: wordsOf(status) || undefined,
      });
      useGeneration.setState((store) => ({
        continuations: store.continuations.map((old) => (old.slot === slot ? change(old) : old)),
      }));
    });
  });
  for (const machine of machines) machine.open('', { state: 'queued' });
}

export function stopGenerating(): void {
  for (const machine of machines) void machine.cancel();
}

/** Whether a run can have this token as its target. */
export const canAnalyse = ({ text }: GeneratedToken): boolean => text.trim() !== '';

/**
 * Makes the text before a generated token the page's prompt and the token its target, and runs it: with the very tokens
 * that were generated, which the text might not be read as. What is continued stays what it was.
 */
export function analyse(continuation: Continuation, index: number): void {
  const token = continuation.tokens[index];
  if (!canAnalyse(token)) return;
  const { prompt: before, needle } = useSelection.getState();
  const { prompt: start, end, tokens } = continuation;
  const ids = [...(end?.ids ?? []), ...tokens.slice(0, index).map(({ id }) => id)];
  const prompt = textBefore(continuation, index);
  setText(start === prompt ? null : start, end);
  select({
    prompt,
    exampleId: '',
    position: -1,
    lock: null,
    window: null,
    needle: moveSpan(before, prompt, needle),
    target: token.text,
    targetId: token.id,
    continuation: ids.length > 0 ? { start: end?.start ?? start.length, ids } : null,
  });
  if (!isBusy()) runOrCancel();
  window.scrollTo({ top: 0 });
}
