import type { AnalysisRequest } from '@/lib/api/causal';
import type { GeneratedToken, GenerationRequest } from '@/lib/api/generation';
import type { RunEstimate } from '@/lib/api/runs';
import type {
  ModelList,
  RunModel,
  RunRequest,
  Token,
  TokenizeRequest,
  TokenizerRequest,
  VocabularyEntry,
} from '@/lib/api/schemas';
import type { TrainingQuery, TrainingRuns } from '@/lib/api/training';
import type { WeightCounts } from '@/lib/models/weight-format';
import type { Encoding } from '@/lib/tokenizer';
import type { FoldersState } from '../compute/models/model-folders';
import type { Cost } from '../compute/runs/costs';
import type { ChosenToken, PreparedAnalysis, PreparedGeneration, Refusal } from '../prepared';
import type { Settings } from '../settings';

/** What passes between the web server's thread and those that read model folders and text. */

/** A token that was generated, with what is needed to write it. */
export interface Unspelled {
  readonly token: ChosenToken;
  /** The token before those that were added, and these. */
  readonly before: readonly number[];
  /** What was told of `before`; absent at the first token. */
  readonly text?: string;
}

export interface Spelled {
  readonly token: GeneratedToken;
  /** What has been told, this token included. */
  readonly text: string;
}

/** What a run would take, apart from what only the computing thread knows. */
export interface Measure extends Pick<RunEstimate, 'activationBytes' | 'limitBytes'> {
  /** Without loading. */
  readonly cost: Cost;
  /** Of each model. */
  readonly weights: readonly (WeightCounts & { readonly name: string; readonly tokens: number })[];
}

/** Methods of a reader: argument and result. None touches weights or the device. */
export interface ReaderMethods {
  models: { argument: null; result: ModelList };
  addFolder: { argument: string; result: ModelList };
  removeFolder: { argument: string; result: ModelList };
  chooseTokenizer: { argument: TokenizerRequest; result: ModelList };
  training: { argument: TrainingQuery; result: TrainingRuns };
  tokenize: { argument: TokenizeRequest; result: Token[] };
  vocabulary: { argument: { model: string; q: string; limit?: number }; result: VocabularyEntry[] };
  /** Resolves models, tokens, target and needle of a request, or refuses it. */
  prepare: { argument: RunRequest; result: RunModel[] };
  /** What a run would take, or why it is refused. */
  measure: { argument: RunRequest; result: Measure };
  /** Resolves and checks an analysis, or refuses it. */
  prepareAnalysis: { argument: AnalysisRequest; result: PreparedAnalysis };
  /** Resolves the prompt of a generation, or refuses it. */
  prepareGeneration: { argument: GenerationRequest; result: PreparedGeneration };
  spell: { argument: { model: string } & Unspelled; result: Spelled };
  /** Null where the text has more than `most` tokens. */
  encodeWithin: { argument: { model: string; text: string; most: number }; result: Encoding | null };
  /** None where the vocabulary does not know the answer. */
  answerTokens: { argument: { model: string; text: string }; result: Token[] };
}

export type ReaderMethod = keyof ReaderMethods;

export type ReaderRequest =
  | { [M in ReaderMethod]: { kind: 'request'; method: M; argument: ReaderMethods[M]['argument'] } }[ReaderMethod]
  | { kind: 'folders'; folders: FoldersState };

export type ReaderReply =
  /** The tokenizer of a model is at work from now on. */
  | { kind: 'beginning'; model: string }
  | { kind: 'result'; result: unknown; folders: FoldersState }
  | { kind: 'refusal'; refusal: Refusal };

/** `workerData` of a reader. */
export interface ReaderStart {
  readonly settings: Settings;
  readonly folders?: FoldersState;
}
