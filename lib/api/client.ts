import { decodeSafetensors, type WireTensor } from '@/lib/safetensors';
import { BODIES, type Read } from './bodies';
import type { Analysis, AnalysisCreated, AnalysisEvent, AnalysisQuery, AnalysisRequestInput } from './causal';
import { readEventStream } from './events';
import type { GenerationEvent, GenerationRequestInput } from './generation';
import type { AskedReading, ReadingName } from './readings';
import type { RunEstimate } from './runs';
import type {
  ErrorBody,
  ExampleList,
  Health,
  ModelList,
  Run,
  RunCreated,
  RunEvent,
  RunList,
  RunRequestInput,
  TokenizeReply,
  VocabularyReply,
} from './schemas';
import type { Sweep, SweepList, SweepRequestInput, SweepStatus } from './sweeps';
import type { TrainingQuery, TrainingRuns } from './training';
import { wireOf } from './wire';

/** A refusal by the server, or no answer at all (`status` 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    message: string,
    readonly status: number,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** What to tell a reader of something that went wrong: what it is, and what to do where that is known. */
export const sentencesOf = (error: unknown): string =>
  error instanceof ApiError
    ? [error.message, error.hint].filter(Boolean).join(' ')
    : error instanceof Error
      ? error.message
      : String(error);

export interface ClientOptions {
  /** Where the server is; empty for the page's own origin. */
  readonly baseUrl?: string;
  readonly fetch?: typeof globalThis.fetch;
}

type StreamEvent = RunEvent | AnalysisEvent;

const FINAL_STATES: readonly string[] = ['done', 'cancelled', 'error', 'interrupted'];

function pathOf(path: string, query: Readonly<Record<string, unknown>> = {}): string {
  const search = new URLSearchParams(wireOf(query));
  return search.size > 0 ? `${path}?${search}` : path;
}

async function refusal(response: Response): Promise<ApiError> {
  // What stands between page and server answers too, in words of its own.
  const body: Partial<ErrorBody> | null = await response.json().catch(() => null);
  if (!body?.error) return new ApiError(`The server answered with status ${response.status}.`, response.status);
  return new ApiError(body.error.message, response.status, body.error.hint);
}

const isLast = ({ event, data }: StreamEvent): boolean =>
  (event === 'run' || event === 'analysis' || event === 'state') && FINAL_STATES.includes(data.state);

const isBodied = (name: ReadingName): name is keyof typeof BODIES => Object.hasOwn(BODIES, name);

const jsonBody = (value: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });

/**
 * A typed client of the HTTP API for browsers and Node. Every method rejects with `ApiError` on a refusal
 * and takes an optional AbortSignal last. Matrices are views of the received body, without a copy. Answers are taken at
 * their word: tests hold every route's to its schema (`lib/api/testing/contract.ts`).
 */
export function createClient({ baseUrl = '', fetch = (...args) => globalThis.fetch(...args) }: ClientOptions = {}) {
  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${baseUrl}${path}`, init);
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ApiError('The server does not answer.', 0, 'Check that Statescope is still running.');
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async function json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await send(path, init)).json();
  }

  const post = <T>(path: string, body: unknown, signal?: AbortSignal) => json<T>(path, { ...jsonBody(body), signal });

  const body = async (path: string, signal?: AbortSignal) =>
    decodeSafetensors(await (await send(path, { signal })).arrayBuffer());

  const run = (id: string) => `/api/runs/${encodeURIComponent(id)}`;
  const sweep = (id: string) => `/api/sweeps/${encodeURIComponent(id)}`;
  const analysis = (id: string) => `/api/analyses/${encodeURIComponent(id)}`;

  /**
   * Follows a run or an analysis: first its whole state, then what happens to it. Reconnects after a lost
   * connection, beginning again with the state, and ends by itself once the work has ended.
   * @returns a function that stops following; the work itself goes on.
   */
  function followEvents<E extends StreamEvent>(
    path: string,
    onEvent: (event: E) => void,
    onError: (error: ApiError) => void = () => undefined,
  ): () => void {
    const abort = new AbortController();
    const follow = async (): Promise<boolean> => {
      const response = await send(`${path}/events`, {
        headers: { accept: 'text/event-stream' },
        signal: abort.signal,
      });
      if (!response.body) return false;
      for await (const { event, data } of readEventStream(response.body)) {
        if (abort.signal.aborted) return true;
        const message = { event, data: JSON.parse(data) } as E;
        onEvent(message);
        if (isLast(message)) return true;
      }
      return false;
    };
    void (async () => {
      for (let delay = 250; !abort.signal.aborted; delay = Math.min(2 * delay, 5000)) {
        try {
          if (await follow()) return;
          delay = 250;
        } catch (error) {
          if (abort.signal.aborted) return;
          const known = error instanceof ApiError ? error : new ApiError('The connection to the server was lost.', 0);
          onError(known);
          if (known.status >= 400 && known.status < 500) return;
        }
        await pause(delay, abort.signal);
      }
    })();
    return () => abort.abort();
  }

  return {
    health: (signal?: AbortSignal) => json<Health>('/api/health', { signal }),
    models: (signal?: AbortSignal) => json<ModelList>('/api/models', { signal }),
    /** Looks for models in one more folder, and returns those in it. */
    addModelFolder: (folder: string, signal?: AbortSignal) => post<ModelList>('/api/models', { folder }, signal),
    /** Takes an added folder from the list, or the word that it is gone; returns what is left. */
    removeModelFolder: (folder: string, signal?: AbortSignal) =>
      json<ModelList>(pathOf('/api/models', { folder }), { method: 'DELETE', signal }),
    /** Chooses what reads a model's text, null for its own; returns all models. */
    chooseTokenizer: (model: string, tokenizer: string | null, signal?: AbortSignal) =>
      json<ModelList>('/api/models', { ...jsonBody({ model, tokenizer }), method: 'PATCH', signal }),
    examples: (signal?: AbortSignal) => json<ExampleList>('/api/examples', { signal }),
    training: (query: TrainingQuery = {}, signal?: AbortSignal) =>
      json<TrainingRuns>(pathOf('/api/training', query), { signal }),
    tokenize: (model: string, text: string, signal?: AbortSignal) =>
      post<TokenizeReply>('/api/tokenize', { model, text }, signal),
    vocabulary: (model: string, q: string, signal?: AbortSignal, limit?: number) =>
      json<VocabularyReply>(pathOf('/api/vocabulary', { model, q, limit }), { signal }),
    startRun: (request: RunRequestInput, signal?: AbortSignal) => post<RunCreated>('/api/runs', request, signal),
    estimate: (request: RunRequestInput, signal?: AbortSignal): Promise<RunEstimate> =>
      post<RunEstimate>('/api/estimate', request, signal),
    runs: (signal?: AbortSignal) => json<RunList>('/api/runs', { signal }),
    run: (id: string, signal?: AbortSignal) => json<Run>(run(id), { signal }),
    /** Asks to cancel; the reply is the run's state at that moment, `cancelled` follows within a layer. */
    cancelRun: (id: string, signal?: AbortSignal) => json<Run>(run(id), { method: 'DELETE', signal }),
    /** Goes on with a run that was cancelled or failed; what it has computed stays. */
    resumeRun: (id: string, signal?: AbortSignal) => json<Run>(`${run(id)}/resume`, { method: 'POST', signal }),
    renameRun: (id: string, name: string, signal?: AbortSignal) =>
      json<Run>(run(id), {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
        signal,
      }),
    /** Removes a run from the server's memory and disk. */
    forgetRun: (id: string, signal?: AbortSignal) =>
      json<Run>(pathOf(run(id), { forget: 'true' }), { method: 'DELETE', signal }),
    /** Follows a run. */
    subscribe: (id: string, onEvent: (event: RunEvent) => void, onError?: (error: ApiError) => void): (() => void) =>
      followEvents<RunEvent>(run(id), onEvent, onError),

    /** Reads what a run left behind; `READINGS` says what there is and what answers. */
    async read<N extends ReadingName>(
      id: string,
      name: N,
      query: NoInfer<AskedReading<N>>,
      signal?: AbortSignal,
    ): Promise<Read<N>> {
      const path = pathOf(`${run(id)}/${name}`, query);
      if (!isBodied(name)) return json(path, { signal });
      const { tensors, metadata } = await body(path, signal);
      return BODIES[name](tensors, metadata) as Read<N>;
    },

    /** Continues a prompt; resolves when it has ended. Aborting the signal cancels it. */
    async generate(
      request: GenerationRequestInput,
      onEvent: (event: GenerationEvent) => void,
      signal?: AbortSignal,
    ): Promise<void> {
      const { body: stream } = await send('/api/generate', { ...jsonBody(request), signal });
      if (!stream) return;
      for await (const { event, data } of readEventStream(stream)) {
        const message = { event, data: JSON.parse(data) } as GenerationEvent;
        onEvent(message);
        if (message.event === 'state' && FINAL_STATES.includes(message.data.state)) return;
      }
      signal?.throwIfAborted();
      throw new ApiError('The connection to the server was lost.', 0, 'Generate again.');
    },

    /** Makes a sweep, or goes on with it; with `retry` items are tried again that failed. */
    startSweep: (request: SweepRequestInput, query: { readonly retry?: boolean } = {}, signal?: AbortSignal) =>
      post<SweepStatus>(pathOf('/api/sweeps', query), request, signal),
    /** All sweeps of the server's database, newest first. */
    sweeps: async (signal?: AbortSignal): Promise<SweepStatus[]> =>
      (await json<SweepList>('/api/sweeps', { signal })).sweeps,
    sweep: (id: string, signal?: AbortSignal): Promise<Sweep> => json<Sweep>(sweep(id), { signal }),
    /** Takes away the items that have no result; asked for again, it goes on from there. */
    cancelSweep: (id: string, signal?: AbortSignal): Promise<SweepStatus> =>
      json<SweepStatus>(sweep(id), { method: 'DELETE', signal }),

    /** Queues an analysis; with `run` its result is kept with that run. */
    startAnalysis: (request: AnalysisRequestInput, query: AnalysisQuery = {}, signal?: AbortSignal) =>
      post<AnalysisCreated>(pathOf('/api/analyses', query), request, signal),
    analysis: (id: string, signal?: AbortSignal): Promise<Analysis> => json<Analysis>(analysis(id), { signal }),
    /** Asks to cancel; the reply is the state at that moment, `cancelled` follows within a step. */
    cancelAnalysis: (id: string, signal?: AbortSignal): Promise<Analysis> =>
      json<Analysis>(analysis(id), { method: 'DELETE', signal }),
    /** Follows an analysis. */
    followAnalysis: (
      id: string,
      onEvent: (event: AnalysisEvent) => void,
      onError?: (error: ApiError) => void,
    ): (() => void) => followEvents<AnalysisEvent>(analysis(id), onEvent, onError),
    /** Tensors of an analysis that has ended, by name. */
    analysisTensors: async (id: string, signal?: AbortSignal): Promise<ReadonlyMap<string, WireTensor>> =>
      (await body(`${analysis(id)}/tensors`, signal)).tensors,
  };
}

export type Client = ReturnType<typeof createClient>;
