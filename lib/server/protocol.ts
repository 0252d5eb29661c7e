import type { Budget } from '@/lib/analysis';
import type { SnrTask } from '@/lib/api/analyses';
import type { AnalysisProgress, AnalysisRequest, AnalysisResult, CancellationBatchRequest } from '@/lib/api/causal';
import type { GeneratedToken, GenerationRequest } from '@/lib/api/generation';
import type { ReadingBody, ReadingName, ReadingQuery } from '@/lib/api/readings';
import type { RunEstimate } from '@/lib/api/runs';
import type {
  BlockSummary,
  Device,
  ModelList,
  Progress,
  RunModel,
  RunRequest,
  Token,
  TokenizeRequest,
  VocabularyEntry,
} from '@/lib/api/schemas';
import type { Sampling } from '@/lib/generation';
import type { CausalTest } from './compute/causal-tests';
import type { Settings } from './settings';

/** What passes between the web server's thread and the worker that owns the device. */

/** A safetensors body; its buffer is transferred, not copied. */
export type Body = Uint8Array<ArrayBuffer>;

/** A causal test that was checked against its model, with what it will take. */
export interface PreparedTest {
  readonly model: string;
  readonly test: CausalTest;
  readonly budget: Budget;
}

/** SNR over a batch, not yet read by any model, with what it will take at most. */
export interface PreparedSnr {
  readonly task: SnrTask;
  /** Examples that the batch holds. */
  readonly examples: number;
  readonly budget: Budget;
}

/** Cancellation over a batch, not yet read by the model, with what it will take at most. */
export interface PreparedCancellations {
  readonly model: string;
  readonly batch: CancellationBatchRequest;
  /** Examples that the batch holds. */
  readonly examples: number;
  readonly budget: Budget;
}

export type PreparedAnalysis = PreparedTest | PreparedSnr | PreparedCancellations;

/** A prompt that is to be continued, as token ids. */
export interface PreparedGeneration {
  readonly model: string;
  readonly tokens: readonly number[];
  readonly maxNewTokens: number;
  readonly sampling: Sampling;
  /** Most likely tokens told at each step. */
  readonly alternatives: number;
}

/** How an analysis ended, with what was finished; nulls where that is nothing. */
export interface AnalysisOutcome {
  readonly state: 'done' | 'cancelled';
  readonly result: AnalysisResult | null;
  readonly tensors: Body | null;
}

/** What an analysis tells while it computes. */
export type AnalysisUpdate =
  | { type: 'progress'; progress: AnalysisProgress }
  | { type: 'result'; result: AnalysisResult };

/** Methods of the worker: argument and result. */
export interface WorkerMethods {
  models: { argument: null; result: ModelList };
  addFolder: { argument: string; result: ModelList };
  removeFolder: { argument: string; result: ModelList };
  tokenize: { argument: TokenizeRequest; result: Token[] };
  vocabulary: { argument: { model: string; q: string; limit?: number }; result: VocabularyEntry[] };
  /** Resolves models, tokens, target and needle of a request, or refuses it. Touches no weights. */
  prepare: { argument: RunRequest; result: RunModel[] };
  /** What a run would take, or why it is refused. Touches no weights. */
  estimate: { argument: RunRequest; result: RunEstimate };
  /** Runs to the end, from where an earlier start stopped; `cancel[0] ≠ 0` stops it before the next layer. */
  run: { argument: { id: string; models: RunModel[]; cancel: Int32Array }; result: 'done' | 'cancelled' };
  /** Writes a finished run's arrays to disk. @returns their bytes; 0 when they are not kept. */
  keep: { argument: { id: string; limit: number }; result: number };
  /** Drops a finished run from memory. */
  forget: { argument: string; result: null };
  /** One reading of a run. `withdrawn[0] ≠ 0` says that nobody waits for it any more. */
  read: { argument: ReadingJob; result: ReadingBody<ReadingName> };
  /** Resolves and checks an analysis, or refuses it. Touches no weights. */
  prepareAnalysis: { argument: AnalysisRequest; result: PreparedAnalysis };
  /** Runs to the end; `cancel[0] ≠ 0` stops it before the next step. */
  analyse: { argument: AnalysisJob; result: AnalysisOutcome };
  /** Resolves the prompt of a generation, or refuses it. Touches no weights. */
  prepareGeneration: { argument: GenerationRequest; result: PreparedGeneration };
  /** Runs to the end; `cancel[0] ≠ 0` stops it before the next token. */
  generate: {
    argument: { id: string; generation: PreparedGeneration; cancel: Int32Array };
    result: 'done' | 'cancelled';
  };
}

export interface ReadingJob<N extends ReadingName = ReadingName> {
  readonly id: string;
  readonly name: N;
  readonly query: ReadingQuery<N>;
  readonly withdrawn?: Int32Array;
}

export interface AnalysisJob<P extends PreparedAnalysis = PreparedAnalysis> {
  readonly id: string;
  readonly analysis: P;
  readonly cancel: Int32Array;
}

export type MethodName = keyof WorkerMethods;

export type Request = {
  [M in MethodName]: { kind: 'request'; call: number; method: M; argument: WorkerMethods[M]['argument'] };
}[MethodName];

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly hint?: string;
}

/** What a run tells while it computes. */
export type RunUpdate =
  | { type: 'progress'; progress: Progress }
  | { type: 'blocks'; model: number; blocks: BlockSummary[] }
  | { type: 'layer'; model: number; layer: number; lambda: number | null }
  | { type: 'signal'; model: number; forwardMs: number }
  | { type: 'lens'; model: number }
  | { type: 'failure'; model: number; message: string };

export type Message =
  | { kind: 'ready'; device: Device }
  | { kind: 'unusable'; message: string }
  | { kind: 'result'; call: number; result: unknown }
  | { kind: 'refusal'; call: number; refusal: Refusal }
  | { kind: 'update'; id: string; update: RunUpdate }
  | { kind: 'analysis'; id: string; update: AnalysisUpdate }
  | { kind: 'token'; id: string; token: GeneratedToken }
  | { kind: 'released'; ids: string[] };

/** `workerData` of the worker. */
export interface WorkerStart {
  readonly settings: Settings;
}
