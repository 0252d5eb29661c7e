'use client';
import { keepPreviousData, type UseQueryResult, useQueries, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Channels, Lens, Tracks } from '@/lib/api/bodies';
import type { AnswerScore, AttributionReply, Signal } from '@/lib/api/readings';
import { refusedPart } from '@/lib/api/refusals';
import type { LensKind, RunRequestInput, VocabularyEntry } from '@/lib/api/schemas';
import type { Sweep } from '@/lib/api/sweeps';
import { sameWord } from '../charts/tokens';
import { overLayers, reduces, useSelection } from '../state/selection';
import { client } from './client';
import type { FoundMaps } from './mapQueries';
import { FOREVER, readingOf, retry } from './readings';
import { lensSoFar, shownPositions, signalSoFar } from './soFar';
import { hasScan, type ModelView, type View } from './view';

const isFinished = ({ run }: View): boolean => run.state !== 'queued' && run.state !== 'running';

export const MODELS = ['models'];

export const useModels = () =>
  useQuery({ queryKey: MODELS, queryFn: ({ signal }) => client.models(signal), staleTime: 60_000, retry });

export const useExamples = () =>
  useQuery({ queryKey: ['examples'], queryFn: ({ signal }) => client.examples(signal), staleTime: 60_000 });

export const useHealth = () =>
  useQuery({ queryKey: ['health'], queryFn: ({ signal }) => client.health(signal), refetchInterval: 15_000 });

/** What a run would take; an error says why it would be refused. */
export const useEstimate = (request: RunRequestInput | null) =>
  useQuery({
    // Read-out and needle cost nothing.
    queryKey: ['estimate', request?.models, request?.prompt, request?.target, request?.candidates],
    queryFn: ({ signal }) => client.estimate(request as RunRequestInput, signal),
    enabled: request !== null,
    staleTime: 10_000,
    retry: false,
  });

/** While a sweep is worked on, it is asked for so often (ms). */
const SWEEP_MS = 1000;

/** A sweep, asked for again until it has ended. */
export const sweepQuery = (id: string) => ({
  queryKey: ['sweep', id],
  queryFn: ({ signal }: { signal: AbortSignal }) => client.sweep(id, signal),
  refetchInterval: ({ state: { data } }: { state: { data?: Sweep } }) =>
    data === undefined || data.state === 'open' ? SWEEP_MS : (false as const),
  retry,
});

/** The tokens of a text as one model reads them. */
export const tokensQuery = (model: string, text: string) => ({
  queryKey: ['tokens', model, text],
  queryFn: async ({ signal }: { signal: AbortSignal }) =>
    text === '' ? [] : (await client.tokenize(model, text, signal)).tokens,
  enabled: model !== '',
  ...FOREVER,
});

export const useTokens = (model: string, text: string) =>
  useQuery({ ...tokensQuery(model, text), placeholderData: keepPreviousData });

export const useVocabulary = (model: string, q: string) =>
  useQuery({
    queryKey: ['vocabulary', model, q],
    queryFn: async ({ signal }) => (await client.vocabulary(model, q, signal)).tokens,
    enabled: model !== '',
    placeholderData: keepPreviousData,
    ...FOREVER,
  });

/** Every token of a model; the lens names its top tokens by id. */
const useWholeVocabulary = (model: string) =>
  useQuery({
    queryKey: ['vocabulary', model],
    queryFn: async ({ signal }) => (await client.vocabulary(model, '', signal, 1_000_000)).tokens,
    ...FOREVER,
  });

/** The lens in effect: a tuned one only where every model has it, and whether there is a choice. */
export function useLensKind(models: readonly { readonly name: string }[]): { kind: LensKind; choice: boolean } {
  const { data } = useModels();
  const wanted = useSelection((s) => s.lens);
  const choice = models.every(({ name }) => data?.models.find((one) => one.name === name)?.hasTunedLens);
  return { kind: choice ? wanted : 'logit', choice };
}

/** The target's id in each model's vocabulary: the run's own target, else a token of the prompt, else the tokenizer's answer. */
export function useTargetIds(view: View): (number | undefined)[] {
  const known = view.models.map(({ model, tokens, run, target }) =>
    target === run.request.target
      ? model.target.id
      : tokens.find((token) => token.text === target || sameWord(token.text, target))?.id,
  );
  const asked = useAnswerIds(view.models.map(({ name, target }, k) => [name, known[k] === undefined ? target : '']));
  return known.map((id, k) => id ?? asked[k]);
}

/** All tokens of a word, from its first that shows something. */
const wordQuery = (name: string, word: string) => ({
  queryKey: ['target', name, word],
  queryFn: async ({ signal }: { signal: AbortSignal }) => {
    const { tokens } = await client.tokenize(name, ` ${word.trim()}`, signal);
    const first = tokens.findIndex(({ text }) => text.trim() !== '');
    return first < 0 || tokens[first].unknown ? [] : tokens.slice(first).map(({ id, text }) => ({ id, text }));
  },
  enabled: word.trim() !== '',
  ...FOREVER,
});

/** All tokens of the target where it has several, for each model; undefined where it has one, or they are not known yet. */
export function useWholeAnswers(view: View): (readonly VocabularyEntry[] | undefined)[] {
  const own = view.models.map(({ run, target }) => target === run.request.target);
  const read = useQueries({
    queries: view.models.map(({ name, target }, k) => wordQuery(name, own[k] ? '' : target)),
  });
  return view.models.map(({ model }, k) => {
    const tokens = own[k] ? model.answer : read[k].data;
    return tokens && tokens.length > 1 ? tokens : undefined;
  });
}

/** ln p of every model's whole answer, where it has several tokens: a forward pass each. */
export function useAnswerScores(
  view: View | undefined,
  answers: readonly (readonly VocabularyEntry[] | undefined)[],
): UseQueryResult<AnswerScore>[] {
  return useQueries({
    queries: (view?.models ?? []).map((m, k) => {
      const answer = answers[k]?.map(({ id }) => id);
      return {
        ...readingOf(m, 'answer', { model: m.index, position: m.position, answer }),
        enabled: answer !== undefined && m.model.signalReady,
      };
    }),
  });
}

/** Why a word has no token in a model's vocabulary, for each pair; undefined where it has one, or that is not known yet. */
export const useUnknownWords = (asked: readonly (readonly [model: string, word: string])[]): (string | undefined)[] =>
  useQueries({ queries: asked.map(([name, word]) => wordQuery(name, word)) }).map(({ data }, k) =>
    data?.length === 0 ? `The vocabulary of ${asked[k][0]} does not contain “${asked[k][1].trim()}”.` : undefined,
  );

/** The first token of a word in a model's vocabulary, for each pair; undefined while it is not known, and for an empty word. */
export const useAnswerIds = (asked: readonly (readonly [model: string, word: string])[]): (number | undefined)[] =>
  useQueries({
    queries: asked.map(([name, word]) => wordQuery(name, word)),
  }).map(({ data }) => data?.[0]?.id);

/**
 * The signal of every model through the chosen lens, or through a given one. The needle against the context is asked for where
 * that is the metric, with the classes that Allocation asks for: the server computes it once for both.
 */
export function useSignals(
  view: View,
  targets: readonly (number | undefined)[],
  through?: LensKind,
): UseQueryResult<Signal>[] {
  const { kind } = useLensKind(view.models);
  const lens = through ?? kind;
  const reads = useSelection((s) => s.metric === 'needle_against_context') && !through;
  return useQueries({
    queries: view.models.map((m, k) => {
      const own = { model: m.index, position: m.position, target: targets[k], lens };
      const query = reads ? { ...own, ...classesAsked(m), with: 'needle_against_context' as const } : own;
      return {
        // A run that was stopped and goes on has more layers afterwards.
        ...readingOf(m, 'signal', query, m.model.mapsReady),
        enabled: m.model.signalReady && targets[k] !== undefined,
        placeholderData: (before: Signal | undefined) =>
          (lens === 'logit' && !reads && signalSoFar(m, targets[k])) || before,
      };
    }),
  });
}

/** The classes of a model's tokens, up to the one that is read, as readings ask for them. */
export function classesAsked({ needle, competing, question, position }: ModelView) {
  const spansOf = (spans: readonly (readonly [number, number])[]) =>
    spans.length > 0 ? spans.map(([start, end]): [number, number] => [start, end]) : undefined;
  return {
    needle: needle && ([needle[0], Math.max(needle[0], Math.min(needle[1], position)) + 1] as [number, number]),
    competing: spansOf(competing),
    question: spansOf(question),
  };
}

/** The lens at the positions that are in view, and at the one that is read. */
export function useLenses(view: View, targets: readonly (number | undefined)[]): UseQueryResult<Lens>[] {
  const { kind: lens } = useLensKind(view.models);
  const rows = useSelection((s) => s.lensRows);
  return useQueries({
    queries: view.models.map((m, k) => {
      const query = { model: m.index, target: targets[k], lens, positions: shownPositions(m, rows, view) };
      return {
        ...readingOf(m, 'lens', query),
        enabled: m.model.lensReady && targets[k] !== undefined,
        placeholderData: (before: Lens | undefined) => (lens === 'logit' && lensSoFar(m, targets[k])) || before,
      };
    }),
  });
}

/** The target's logit of every model taken apart, once the run has ended: a forward pass each. */
export function useAttributions(
  view: View,
  targets: readonly (number | undefined)[],
): UseQueryResult<AttributionReply>[] {
  return useQueries({
    queries: view.models.map((m, k) => {
      const query = { model: m.index, position: m.position, target: targets[k] };
      return {
        ...readingOf(m, 'attribution', query),
        enabled: m.model.signalReady && isFinished(view) && targets[k] !== undefined,
        placeholderData: keepPreviousData,
      };
    }),
  });
}

/** Beyond this many tokens the statistics take so long that they would hold up the maps. */
const RANKED_TOKENS = 600;

/** Statistics of every head or channel of the selected layer, once its maps are there and where its form has any. */
export function useChannels(view: View, found: readonly FoundMaps[]): UseQueryResult<Channels>[] {
  const form = useSelection((s) => s.form);
  const product = useSelection(overLayers);
  const { run, layer } = view;
  return useQueries({
    queries: view.models.map((m) => ({
      ...readingOf(m, 'channels', { model: m.index, layer }),
      enabled:
        reduces(form) &&
        !product &&
        hasScan(m.model.blocks[layer]) &&
        run.state !== 'running' &&
        layer < m.model.mapsReady &&
        view.tokens.length <= RANKED_TOKENS &&
        found.every(({ maps, ready }) => !ready || Object.values(maps).some((map) => map !== undefined)),
      gcTime: 60_000,
    })),
  });
}

/** Why a model has no tracks of its chosen head or channel in the selected layer. */
export function refusedTracks({ model }: ModelView, layer: number, unit: number | undefined): string | undefined {
  const block = model.blocks[layer];
  if (block && !hasScan(block)) return 'This layer has no recurrence, so its tokens have no tracks.';
  if (!block || unit === undefined) return undefined;
  return refusedPart(block, layer, block.heads > 0 ? 'head' : 'channel', unit)?.message;
}

/** What every token does in the selected layer: of the chosen head or channel, else the mean over all. */
export function useTracks(view: View): UseQueryResult<Tracks>[] {
  const reduction = useSelection((s) => s.reduction);
  const part = useSelection((s) => s.part);
  return useQueries({
    queries: view.models.map((m) => {
      const chosen = reduction === 'one' ? part[m.slot] : undefined;
      const query = { model: m.index, layer: view.layer, unit: chosen === undefined ? 'mean' : String(chosen) };
      return {
        ...readingOf(m, 'tracks', query),
        enabled: view.layer < m.model.mapsReady && !refusedTracks(m, view.layer, chosen),
        placeholderData: keepPreviousData,
        gcTime: 60_000,
      };
    }),
  });
}

/** Texts of token ids as one model's vocabulary gives them. Ids that are not known yet read `#id`. */
export function useTokenTexts(model: ModelView): (id: number) => string {
  const { data } = useWholeVocabulary(model.name);
  return useMemo(() => {
    const texts = new Map(data?.map(({ id, text }) => [id, text]));
    const { named = [], candidates, target } = model.model;
    for (const { id, text } of [...model.tokens, ...named, ...candidates, target])
      if (!texts.has(id)) texts.set(id, text);
    return (id) => texts.get(id) ?? `#${id}`;
  }, [data, model.tokens, model.model]);
}
