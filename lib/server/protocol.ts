import type { Packing } from '@/kernels/ops';
import type { AnalysisProgress, AnalysisResult } from '@/lib/api/causal';
import type { ReadingBody, ReadingName, ReadingQuery } from '@/lib/api/readings';
import type { BlockSummary, Device, Progress, Readout, RunModel } from '@/lib/api/schemas';
import type { FoldersState } from './compute/models/model-folders';
import type { Observation } from './compute/runs/pace';
import type { ChosenToken, PreparedAnalysis, PreparedGeneration, Refusal } from './prepared';
import type { ReaderMethods } from './readers/protocol';
import type { Settings } from './settings';

/** What passes between the web server's thread and the worker that owns the device. */

/** A safetensors body; its buffer is transferred, not copied. */
export type Body = Uint8Array<ArrayBuffer>;

/** What the worker asks of a tokenizer, which is not in its own thread. */
export type Asked = {
  [M in 'encodeWithin' | 'answerTokens']: { method: M; argument: ReaderMethods[M]['argument'] };
}['encodeWithin' | 'answerTokens'];

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
  /** Runs to the end, from where an earlier start stopped; `cancel[0] ≠ 0` stops it before the next layer. */
  run: { argument: { id: string; models: RunModel[]; cancel: Int32Array }; result: 'done' | 'cancelled' };
  /** Writes a finished run's arrays to disk. @returns their bytes; 0 when they are not kept. */
  keep: { argument: { id: string; limit: number }; result: number };
  /** Drops a finished run from memory. */
  forget: { argument: string; result: null };
  /** One reading of a run. `withdrawn[0] ≠ 0` says that nobody waits for it any more. */
  read: { argument: ReadingJob; result: ReadingBody<ReadingName> };
  /** Runs to the end; `cancel[0] ≠ 0` stops it before the next step. */
  analyse: { argument: AnalysisJob; result: AnalysisOutcome };
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

/** What the worker is told beside requests. */
export type Told =
  | { kind: 'answer'; ask: number; result?: unknown; refusal?: Refusal }
  | { kind: 'folders'; folders: FoldersState }
  /** Nothing else computes that would falsify a measurement of the device. */
  | { kind: 'quiet' };

/** What a run tells while it computes. */
export type RunUpdate =
  | { type: 'progress'; progress: Progress }
  | { type: 'blocks'; model: number; blocks: BlockSummary[] }
  | { type: 'layer'; model: number; layer: number; lambda: number | null; readout: Readout[] }
  | { type: 'signal'; model: number; forwardMs: number }
  | { type: 'lens'; model: number }
  | { type: 'failure'; model: number; message: string };

export type Message =
  | { kind: 'ready'; device: Device; keepsHalves: boolean; packing: Packing | null }
  | { kind: 'unusable'; message: string }
  | { kind: 'result'; call: number; result: unknown }
  | { kind: 'refusal'; call: number; refusal: Refusal }
  | { kind: 'update'; id: string; update: RunUpdate }
  | { kind: 'analysis'; id: string; update: AnalysisUpdate }
  | { kind: 'token'; id: string; token: ChosenToken }
  | ({ kind: 'ask'; ask: number } & Asked)
  /** Models on the device or on their way there. */
  | { kind: 'loaded'; models: string[] }
  /** What a stage of a run, or of a probe of the device, took. */
  | { kind: 'observed'; observation: Observation; probe: boolean }
  | { kind: 'released'; ids: string[] };

/** `workerData` of the worker. */
export interface WorkerStart {
  readonly settings: Settings;
  /** Folders that were added while the server runs. */
  readonly folders?: FoldersState;
  /** Raised while the thread gets from one step to the next. */
  readonly beat: Int32Array;
  /** Whether the device is measured when the thread is told that it is quiet, and not at once. */
  readonly waits: boolean;
}
