import type { z } from 'zod';
import { type AttributionQuery, type AttributionReply, AttributionSchema, type SnrRequestInput } from './analyses';
import {
  type Analysis,
  type AnalysisEvent,
  AnalysisEventSchemas,
  type AnalysisQuery,
  type AnalysisRequestInput,
  AnalysisSchema,
} from './causal';
import { readEventStream } from './events';
import { type GenerationEvent, GenerationEventSchemas, type GenerationRequestInput } from './generation';
import { type RunEstimate, RunEstimateSchema } from './runs';
import { decodeSafetensors, type WireTensor } from './safetensors';
import {
  type ChannelsMetadata,
  ChannelsMetadataSchema,
  type ChannelsQuery,
  ErrorBodySchema,
  ExampleListSchema,
  HealthSchema,
  LENS_STATISTICS,
  type LensMetadata,
  LensMetadataSchema,
  type LensQuery,
  type LensStatistic,
  type MapEstimate,
  MapEstimateSchema,
  type MapMetadata,
  MapMetadataSchema,
  type MapQuery,
  ModelListSchema,
  type Pair,
  type PairQuery,
  PairSchema,
  type RolloutMetadata,
  RolloutMetadataSchema,
  type RolloutQuery,
  RunCreatedSchema,
  type RunEvent,
  RunEventSchemas,
  RunListSchema,
  type RunRequestInput,
  RunSchema,
  type Signal,
  type SignalQuery,
  SignalSchema,
  type ThumbnailsMetadata,
  ThumbnailsMetadataSchema,
  type ThumbnailsQuery,
  TokenizeReplySchema,
  type TracksMetadata,
  TracksMetadataSchema,
  type TracksQuery,
  VocabularyReplySchema,
} from './schemas';

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

/** A [L, L] map: rows are destinations i, columns are sources j, zero for j > i. */
export interface AttentionMap {
  readonly L: number;
  readonly data: Float32Array;
  /** Bias terms that belong to no source [L], where the form has them. */
  readonly rest?: Float32Array;
  readonly metadata: MapMetadata;
}

/** Statistics by `branch.statistic` [units], and Δ by `branch.delta` [L, units]. */
export interface Channels {
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly metadata: ChannelsMetadata;
}

/** What each token does in the scans of a layer, by `branch.track` [L]. */
export interface Tracks {
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly metadata: TracksMetadata;
}

/** A [L, L] map over all layers. */
export interface Rollout {
  readonly L: number;
  readonly data: Float32Array;
  readonly metadata: RolloutMetadata;
}

/** Thumbnails of the layers that are finished, each `size` × `size`, one after the other. */
export interface Thumbnails {
  readonly size: number;
  readonly layers: readonly Float32Array[];
  readonly metadata: ThumbnailsMetadata;
}

/** Lens statistics, index `entry * L + position`; top tokens, index `(entry * L + position) * k + rank`. */
export interface Lens {
  readonly entries: readonly string[];
  readonly L: number;
  readonly k: number;
  readonly topIds: Int32Array;
  readonly topProbs: Float32Array;
  readonly statistics: Readonly<Partial<Record<LensStatistic, Float32Array>>>;
  readonly metadata: LensMetadata;
}

export interface ClientOptions {
  /** Where the server is; empty for the page's own origin. */
  readonly baseUrl?: string;
  readonly fetch?: typeof globalThis.fetch;
}

type Query = Readonly<Record<string, string | number | readonly (string | number)[] | undefined>>;

type StreamEvent = RunEvent | AnalysisEvent;

const FINAL_STATES: readonly string[] = ['done', 'cancelled', 'error'];

function pathOf(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size > 0 ? `${path}?${search}` : path;
}

async function refusal(response: Response): Promise<ApiError> {
  const body = ErrorBodySchema.safeParse(await response.json().catch(() => undefined));
  if (!body.success) return new ApiError(`The server answered with status ${response.status}.`, response.status);
  return new ApiError(body.data.error.message, response.status, body.data.error.hint);
}

function need(tensors: ReadonlyMap<string, WireTensor>, name: string): WireTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new ApiError(`The server's answer lacks the tensor ${name}.`, 200);
  return tensor;
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
    examples: (signal?: AbortSignal) => json(ExampleListSchema, '/api/examples', { signal }),
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

    async map(id: string, query: MapQuery, signal?: AbortSignal): Promise<AttentionMap> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/map`, query), signal);
      const { shape, data } = need(tensors, 'map');
      const rest = tensors.get('rest')?.data as Float32Array | undefined;
      return { L: shape[0], data: data as Float32Array, rest, metadata: MapMetadataSchema.parse(metadata) };
    },

    /** What a map would take, without making it. */
    mapEstimate: (id: string, query: MapQuery, signal?: AbortSignal): Promise<MapEstimate> =>
      json(MapEstimateSchema, pathOf(`${run(id)}/map/estimate`, query), { signal }),

    /** Statistics of every channel or head of a layer, by `branch.statistic`. */
    async channels(id: string, query: ChannelsQuery, signal?: AbortSignal): Promise<Channels> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/channels`, query), signal);
      const values = new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
      return { values, metadata: ChannelsMetadataSchema.parse(metadata) };
    },

    /** Δ, decay, half-life, gate and state norm of every token, by `branch.track`. */
    async tracks(id: string, query: TracksQuery, signal?: AbortSignal): Promise<Tracks> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/tracks`, query), signal);
      const values = new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
      return { values, metadata: TracksMetadataSchema.parse(metadata) };
    },

    pair: (id: string, query: PairQuery, signal?: AbortSignal): Promise<Pair> =>
      json(PairSchema, pathOf(`${run(id)}/pair`, query), { signal }),

    async rollout(id: string, query: RolloutQuery = {}, signal?: AbortSignal): Promise<Rollout> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/rollout`, query), signal);
      const { shape, data } = need(tensors, 'map');
      return { L: shape[0], data: data as Float32Array, metadata: RolloutMetadataSchema.parse(metadata) };
    },

    async thumbnails(id: string, query: ThumbnailsQuery = {}, signal?: AbortSignal): Promise<Thumbnails> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/thumbnails`, query), signal);
      const { shape, data } = need(tensors, 'thumbnails');
      const [count, size] = shape;
      const layers = Array.from({ length: count }, (_, i) =>
        (data as Float32Array).subarray(i * size * size, (i + 1) * size * size),
      );
      return { size, layers, metadata: ThumbnailsMetadataSchema.parse(metadata) };
    },

    async lens(id: string, query: LensQuery = {}, signal?: AbortSignal): Promise<Lens> {
      const { tensors, metadata } = await body(pathOf(`${run(id)}/lens`, query), signal);
      const ids = need(tensors, 'top_ids');
      const [, L, k] = ids.shape;
      const statistics: Partial<Record<LensStatistic, Float32Array>> = {};
      for (const name of LENS_STATISTICS) {
        const found = tensors.get(name);
        if (found) statistics[name] = found.data as Float32Array;
      }
      const parsed = LensMetadataSchema.parse(metadata);
      return {
        entries: parsed.entries,
        L,
        k,
        topIds: ids.data as Int32Array,
        topProbs: need(tensors, 'top_probs').data as Float32Array,
        statistics,
        metadata: parsed,
      };
    },

    signal: (id: string, query: SignalQuery = {}, signal?: AbortSignal): Promise<Signal> =>
      json(SignalSchema, pathOf(`${run(id)}/signal`, query), { signal }),

    attribution: (id: string, query: AttributionQuery = {}, signal?: AbortSignal): Promise<AttributionReply> =>
      json(AttributionSchema, pathOf(`${run(id)}/attribution`, query), { signal }),

    /** Queues SNR over a batch: an analysis of the kind `snr`, followed like the others. */
    startSnr: (request: SnrRequestInput, query: AnalysisQuery = {}, signal?: AbortSignal) =>
      post(RunCreatedSchema, pathOf('/api/snr', query), request, signal),

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

    /** Queues an analysis; with `run` its result is kept with that run. */
    startAnalysis: (request: AnalysisRequestInput, query: AnalysisQuery = {}, signal?: AbortSignal) =>
      post(RunCreatedSchema, pathOf('/api/analyses', query), request, signal),
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
