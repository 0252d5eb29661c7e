import type { z } from 'zod';
import { decodeSafetensors, type WireTensor } from '@/lib/safetensors';
import {
  type Analysis,
  AnalysisCreatedSchema,
  type AnalysisEvent,
  AnalysisEventSchemas,
  type AnalysisQuery,
  type AnalysisRequestInput,
  AnalysisSchema,
} from './causal';
import { readEventStream } from './events';
import { type GenerationEvent, GenerationEventSchemas, type GenerationRequestInput } from './generation';
import { type AskedReading, READINGS, type Read, type ReadingName, wireOf } from './readings';
import { type RunEstimate, RunEstimateSchema } from './runs';
import {
  ErrorBodySchema,
  ExampleListSchema,
  HealthSchema,
  ModelListSchema,
  RunCreatedSchema,
  type RunEvent,
  RunEventSchemas,
  RunListSchema,
  type RunRequestInput,
  RunSchema,
  TokenizeReplySchema,
  VocabularyReplySchema,
} from './schemas';
import {
  type Sweep,
  SweepListSchema,
  type SweepRequestInput,
  SweepSchema,
  type SweepStatus,
  SweepStatusSchema,
} from './sweeps';
import { type TrainingQuery, TrainingRunsSchema } from './training';

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
  const body = ErrorBodySchema.safeParse(await response.json().catch(() => undefined));
  if (!body.success) return new ApiError(`The server answered with status ${response.status}.`, response.status);
  return new ApiError(body.data.error.message, response.status, body.data.error.hint);
}

const isLast = ({ event, data }: StreamEvent): boolean =>
  (event === 'run' || event === 'analysis' || event === 'state') && FINAL_STATES.includes(data.state);

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
 * and takes an optional AbortSignal last. Matrices are views of the received body, without a copy.
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

  async function json<S extends z.ZodType>(schema: S, path: string, init?: RequestInit): Promise<z.output<S>> {
    return schema.parse(await (await send(path, init)).json());
  }

  const post = <S extends z.ZodType>(schema: S, path: string, body: unknown, signal?: AbortSignal) =>
    json(schema, path, { ...jsonBody(body), signal });

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
    schemas: Readonly<Record<E['event'], z.ZodType>>,
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
        if (!(event in schemas)) continue;
        const message = { event, data: schemas[event as E['event']].parse(JSON.parse(data)) } as unknown as E;
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
    health: (signal?: AbortSignal) => json(HealthSchema, '/api/health', { signal }),
    models: (signal?: AbortSignal) => json(ModelListSchema, '/api/models', { signal }),
    /** Looks for models in one more folder, and returns those in it. */
    addModelFolder: (folder: string, signal?: AbortSignal) => post(ModelListSchema, '/api/models', { folder }, signal),
    /** Takes an added folder from the list, or the word that it is gone; returns what is left. */
    removeModelFolder: (folder: string, signal?: AbortSignal) =>
      json(ModelListSchema, pathOf('/api/models', { folder }), { method: 'DELETE', signal }),
    /** Chooses what reads a model's text, null for its own; returns all models. */
    chooseTokenizer: (model: string, tokenizer: string | null, signal?: AbortSignal) =>
      json(ModelListSchema, '/api/models', { ...jsonBody({ model, tokenizer }), method: 'PATCH', signal }),
    examples: (signal?: AbortSignal) => json(ExampleListSchema, '/api/examples', { signal }),
    training: (query: TrainingQuery = {}, signal?: AbortSignal) =>
      json(TrainingRunsSchema, pathOf('/api/training', query), { signal }),
    tokenize: (model: string, text: string, signal?: AbortSignal) =>
      post(TokenizeReplySchema, '/api/tokenize', { model, text }, signal),
    vocabulary: (model: string, q: string, signal?: AbortSignal, limit?: number) =>
      json(VocabularyReplySchema, pathOf('/api/vocabulary', { model, q, limit }), { signal }),
    startRun: (request: RunRequestInput, signal?: AbortSignal) => post(RunCreatedSchema, '/api/runs', request, signal),
    estimate: (request: RunRequestInput, signal?: AbortSignal): Promise<RunEstimate> =>
      post(RunEstimateSchema, '/api/estimate', request, signal),
    runs: (signal?: AbortSignal) => json(RunListSchema, '/api/runs', { signal }),
    run: (id: string, signal?: AbortSignal) => json(RunSchema, run(id), { signal }),
    /** Asks to cancel; the reply is the run's state at that moment, `cancelled` follows within a layer. */
    cancelRun: (id: string, signal?: AbortSignal) => json(RunSchema, run(id), { method: 'DELETE', signal }),
    /** Goes on with a run that was cancelled or failed; what it has computed stays. */
    resumeRun: (id: string, signal?: AbortSignal) => json(RunSchema, `${run(id)}/resume`, { method: 'POST', signal }),
    renameRun: (id: string, name: string, signal?: AbortSignal) =>
      json(RunSchema, run(id), {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
        signal,
      }),
    /** Removes a run from the server's memory and disk. */
    forgetRun: (id: string, signal?: AbortSignal) =>
      json(RunSchema, pathOf(run(id), { forget: 'true' }), { method: 'DELETE', signal }),
    /** Follows a run. */
    subscribe: (id: string, onEvent: (event: RunEvent) => void, onError?: (error: ApiError) => void): (() => void) =>
      followEvents<RunEvent>(run(id), RunEventSchemas, onEvent, onError),

    /** Reads what a run left behind; `READINGS` says what there is and what answers. */
    async read<N extends ReadingName>(
      id: string,
      name: N,
      query: NoInfer<AskedReading<N>>,
      signal?: AbortSignal,
    ): Promise<Read<N>> {
      const { reply } = READINGS[name];
      const path = pathOf(`${run(id)}/${name}`, query);
      if (reply.kind === 'json') return (await json(reply.schema, path, { signal })) as Read<N>;
      const { tensors, metadata } = await body(path, signal);
      return reply.shape(tensors, reply.metadata.parse(metadata) as never) as Read<N>;
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
        if (!(event in GenerationEventSchemas)) continue;
        const schema: z.ZodType = GenerationEventSchemas[event as GenerationEvent['event']];
        const message = { event, data: schema.parse(JSON.parse(data)) } as GenerationEvent;
        onEvent(message);
        if (message.event === 'state' && FINAL_STATES.includes(message.data.state)) return;
      }
      signal?.throwIfAborted();
      throw new ApiError('The connection to the server was lost.', 0, 'Generate again.');
    },

    /** Makes a sweep, or goes on with it; with `retry` items are tried again that failed. */
    startSweep: (request: SweepRequestInput, query: { readonly retry?: boolean } = {}, signal?: AbortSignal) =>
      post(SweepStatusSchema, pathOf('/api/sweeps', query), request, signal),
    /** All sweeps of the server's database, newest first. */
    sweeps: async (signal?: AbortSignal): Promise<SweepStatus[]> =>
      (await json(SweepListSchema, '/api/sweeps', { signal })).sweeps,
    sweep: (id: string, signal?: AbortSignal): Promise<Sweep> => json(SweepSchema, sweep(id), { signal }),
    /** Takes away the items that have no result; asked for again, it goes on from there. */
    cancelSweep: (id: string, signal?: AbortSignal): Promise<SweepStatus> =>
      json(SweepStatusSchema, sweep(id), { method: 'DELETE', signal }),

    /** Queues an analysis; with `run` its result is kept with that run. */
    startAnalysis: (request: AnalysisRequestInput, query: AnalysisQuery = {}, signal?: AbortSignal) =>
      post(AnalysisCreatedSchema, pathOf('/api/analyses', query), request, signal),
    analysis: (id: string, signal?: AbortSignal): Promise<Analysis> => json(AnalysisSchema, analysis(id), { signal }),
    /** Asks to cancel; the reply is the state at that moment, `cancelled` follows within a step. */
    cancelAnalysis: (id: string, signal?: AbortSignal): Promise<Analysis> =>
      json(AnalysisSchema, analysis(id), { method: 'DELETE', signal }),
    /** Follows an analysis. */
    followAnalysis: (
      id: string,
      onEvent: (event: AnalysisEvent) => void,
      onError?: (error: ApiError) => void,
    ): (() => void) => followEvents<AnalysisEvent>(analysis(id), AnalysisEventSchemas, onEvent, onError),
    /** Tensors of an analysis that has ended, by name. */
    analysisTensors: async (id: string, signal?: AbortSignal): Promise<ReadonlyMap<string, WireTensor>> =>
      (await body(`${analysis(id)}/tensors`, signal)).tensors,
  };
}

export type Client = ReturnType<typeof createClient>;
