import { z } from 'zod';
import { ALL_KINDS } from '@/lib/architectures/kinds';
import { BRANCHES, FORMS, MIXERS, PATCH_POINTS, TOKENIZER_SOURCES, WEIGHT_CHOICES } from '@/lib/vocabulary';

/**
 * Everything that travels between the page (or a script) and the server. The OpenAPI document, the
 * client's types and the server's validation are all derived from these schemas.
 *
 * Offsets in text are UTF-16 code units, spans are half-open [start, end), layers are 0-based, and
 * "layer k" is the output of block k.
 */

export const BlockKindSchema = z.enum(ALL_KINDS).meta({ description: 'Architecture of one block.' });
export type BlockKind = z.infer<typeof BlockKindSchema>;

export const BranchSchema = z.enum(BRANCHES).meta({
  description:
    'Which map of a block: `single` for a plain block; for a differential block mixer 1, mixer 2, λ·mixer 2 or their difference.',
});

export const ReduceSchema = z
  .string()
  .regex(
    /^(mean|mean_abs|max|head:\d{1,6}|channel:\d{1,6})$/,
    'reduce must be mean, mean_abs, max, head:K or channel:K',
  )
  .meta({
    description:
      'How channels become one matrix: `mean`, `mean_abs`, `max` (magnitude), `head:K` (Mamba-2) or `channel:K`.',
  });
export type Reduce = z.infer<typeof ReduceSchema>;

export const FormSchema = z.enum(FORMS).meta({
  description:
    'What a map shows: `s6` the scan alone; `softmax` the weights of attention, of layers and branches that are attention; `block` convolution, activation, gate and D folded in; `logit` the signed contribution of each source to the logit of a token; `norm` the size of what each source adds. `logit` and `norm` are exact for differential blocks and ignore `reduce`.',
});

const count = z.number().int().nonnegative();

export const SpanSchema = z
  .tuple([count, count])
  .refine(([start, end]) => start < end, 'a span is [start, end) with start < end')
  .meta({ description: 'Half-open span [start, end).' });
export type Span = z.infer<typeof SpanSchema>;

export const ErrorBodySchema = z.object({
  error: z.object({
    message: z.string().meta({ description: 'One sentence that says what is wrong.' }),
    hint: z.string().optional().meta({ description: 'What to do about it.' }),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBodySchema>;

export const DeviceSchema = z.object({
  name: z.string(),
  description: z.string(),
  threads: count,
  weights: z.enum(WEIGHT_CHOICES).optional().meta({
    description:
      'How models kept their matrices: `file` as they are stored, where the device computes from that; widened to float32; or rounded to bf16. Absent in records of 0.1.0: float32.',
  }),
});
export type Device = z.infer<typeof DeviceSchema>;

export const ArchiveSchema = z.object({
  state: z.enum(['off', 'unopened', 'opening', 'open', 'failed']).meta({
    description:
      'Of what keeps runs on disk. `unopened`: not yet, as in the first moment of a server. While `opening` or `failed`, runs of earlier servers are missing from lists; it opens by itself once it can.',
  }),
  message: z.string().optional().meta({ description: 'What keeps runs from being kept or found, in one sentence.' }),
  waiting: count.meta({ description: 'Runs and analyses that have ended and are still to be kept.' }),
});

export const HealthSchema = z.object({
  status: z.enum(['starting', 'ready', 'failed']).meta({ description: 'State of the worker that owns the device.' }),
  version: z.string(),
  device: DeviceSchema.nullable().meta({ description: 'Null until the device is open.' }),
  queue: count.meta({ description: 'Runs and analyses queued or running.' }),
  memory: z.object({ residentBytes: count }),
  archive: ArchiveSchema,
  readOnly: z.boolean().meta({
    description: 'Nothing that lasts may be changed: naming, removing and folders of models are answered 403.',
  }),
  error: z.string().optional(),
  restarts: z
    .object({
      count: count,
      at: z.number().meta({ description: 'Of the last time, ms since 1970.' }),
      reason: z.string(),
    })
    .optional()
    .meta({ description: 'How often the worker ended or was ended because it was stuck, and was started again.' }),
});
export type Health = z.infer<typeof HealthSchema>;

const warnings = z
  .array(z.string())
  .optional()
  .meta({ description: 'What of the model’s files is not used as they say; left out where all is.' });

export const UsedTokenizerSchema = z
  .object({
    name: z.string().meta({ description: 'Its file, or the name of the bundled one.' }),
    source: z
      .enum(TOKENIZER_SOURCES)
      .meta({ description: 'The model’s own, one that was chosen, or the bundled one.' }),
  })
  .meta({ description: 'What reads the model’s text and writes its tokens.' });
export type UsedTokenizer = z.infer<typeof UsedTokenizerSchema>;

const nats = z.number().nonnegative();
const HeldOutSchema = z
  .object({
    tokens: count,
    layers: z.array(
      z.object({
        kl: nats.meta({ description: 'Mean KL(final ‖ lens) over the tokens.' }),
        logit_lens_kl: nats.meta({ description: 'The same of the logit lens.' }),
        fault: z.string().nullable().meta({ description: 'Why the layer is not fitted; null where it is.' }),
      }),
    ),
  })
  .meta({ description: 'A tuned lens on text that it was not fitted to, by layer.' });

export const ModelSummarySchema = z.object({
  name: z.string().meta({ description: 'What requests use to name the model.' }),
  format: z.string(),
  layers: z.array(BlockKindSchema),
  differential: z
    .array(z.boolean())
    .meta({ description: 'Of each layer: whether it subtracts one branch from another.' }),
  hidden_size: count,
  parameters: count,
  dtype: z.string(),
  vocab_size: count,
  tied: z.boolean(),
  summary: z.string().meta({ description: 'One line: kinds, layers, width, parameters.' }),
  hasTokenizer: z.boolean().meta({ description: 'Runs need a tokenizer.' }),
  tokenizer: UsedTokenizerSchema.nullable(),
  tokenizerProblem: z.string().optional().meta({ description: 'Why the tokenizer that was chosen cannot be used.' }),
  hasTunedLens: z.boolean().meta({ description: 'Whether the folder `tuned-lens` of the model holds a lens.' }),
  warnings,
  heldOut: HeldOutSchema.nullable().meta({ description: 'Of the tuned lens; null where it is not recorded.' }),
});
export type ModelSummary = z.infer<typeof ModelSummarySchema>;

export const ModelListSchema = z.object({
  models: z.array(ModelSummarySchema),
  unreadable: z.array(z.object({ name: z.string(), problem: z.string() })).meta({
    description: 'Folders with a config.json that cannot be used, and why; those of the Hugging Face cache apart.',
  }),
  folders: z.array(z.string()).meta({
    description: 'Where models are looked for; folders below these may be added.',
  }),
  added: z.array(z.string()).meta({ description: 'Folders that were added; kept beside the runs.' }),
  dropped: z.array(z.object({ folder: z.string(), problem: z.string() })).meta({
    description: 'Folders that were added and are gone since; told until they are removed or added again.',
  }),
  tokenizers: z.array(z.string()).meta({
    description: 'Names of tokenizers that may be chosen: the bundled one, then those of models.',
  }),
});
export type ModelList = z.infer<typeof ModelListSchema>;

export const TokenizerRequestSchema = z.object({
  model: z.string().min(1).max(300),
  tokenizer: z.string().trim().min(1, 'name a tokenizer').max(4096).nullable().meta({
    description:
      'The bundled one’s name, the name of a model that has one, or the path of a file; null for the model’s own.',
  }),
});
export type TokenizerRequest = z.infer<typeof TokenizerRequestSchema>;

export const ModelFolderSchema = z.object({
  folder: z.string().trim().min(1, 'name a folder').max(4096).meta({
    description: 'An absolute path, or one below `models/` of Statescope.',
  }),
});
export type ModelFolderRequest = z.infer<typeof ModelFolderSchema>;

export const ExampleSchema = z.object({
  id: z.string().min(1),
  title: z.string(),
  description: z.string(),
  prompt: z.string().min(1),
  needle: SpanSchema.meta({ description: 'Characters of the prompt that hold the answer.' }),
  classes: z
    .object({ competing: z.array(SpanSchema).optional(), question: z.array(SpanSchema).optional() })
    .optional()
    .meta({ description: 'Characters that name another answer, and those of the question.' }),
  target: z.string().min(1),
  candidates: z.array(z.string().min(1)),
  models: z
    .tuple([z.string().min(1), z.string().min(1)])
    .optional()
    .meta({ description: 'The pair that the text is made for, where others are not expected to answer.' }),
  layer: z.int().min(0).optional().meta({
    description: 'The block of that pair in which the needle raises the answer most: what the page opens.',
  }),
});
export type Example = z.infer<typeof ExampleSchema>;

export const ExampleListSchema = z.object({ examples: z.array(ExampleSchema) });
export type ExampleList = z.infer<typeof ExampleListSchema>;

export const TokenSchema = z.object({
  id: count,
  text: z.string(),
  start: count.meta({ description: 'UTF-16 offset in the text.' }),
  end: count,
  unknown: z.literal(true).optional().meta({ description: 'Present where the vocabulary lacks the word.' }),
});
export type Token = z.infer<typeof TokenSchema>;

const ModelName = z.string().min(1).max(300);

export const TokenizeRequestSchema = z.object({ model: ModelName, text: z.string() });
export type TokenizeRequest = z.infer<typeof TokenizeRequestSchema>;

export const TokenizeReplySchema = z.object({ tokens: z.array(TokenSchema) });
export type TokenizeReply = z.infer<typeof TokenizeReplySchema>;

export const VocabularyQuerySchema = z.object({
  model: ModelName,
  q: z.string().max(200).default('').meta({ description: 'Empty for every token.' }),
  limit: z.coerce.number().int().min(1).max(1_000_000).default(50).meta({ description: 'Most tokens to answer.' }),
});
export type VocabularyQuery = z.input<typeof VocabularyQuerySchema>;

export const VocabularyEntrySchema = z.object({ id: count, text: z.string() });
export type VocabularyEntry = z.infer<typeof VocabularyEntrySchema>;

export const VocabularyReplySchema = z.object({ tokens: z.array(VocabularyEntrySchema) });
export type VocabularyReply = z.infer<typeof VocabularyReplySchema>;

export const ContinuationSchema = z
  .object({
    start: count.meta({ description: 'Characters of the prompt that are read as text.' }),
    ids: z.array(count).max(100_000).meta({ description: 'The tokens that stand for the rest of the prompt.' }),
  })
  .meta({
    description:
      'The end of a prompt as a model generated it: these token ids in place of reading its text again. Models whose vocabulary gives these ids another text read the text.',
  });
export type Continuation = z.infer<typeof ContinuationSchema>;

export const RunRequestSchema = z.object({
  models: z.array(ModelName).min(1).max(2).meta({ description: 'One model, or two to compare.' }),
  prompt: z.string().min(1, 'the prompt is empty'),
  position: z
    .number()
    .int()
    .min(-1)
    .default(-1)
    .meta({ description: 'Token at which signals are read; −1 is the last.' }),
  target: z.string().min(1, 'the target is empty').meta({
    description: 'The answer; its first token is the target (with a leading space for byte-level vocabularies).',
  }),
  needle: SpanSchema.optional().meta({ description: 'Characters of the prompt that hold the answer.' }),
  candidates: z.array(z.string().min(1)).max(1000).optional().meta({ description: 'Answer set of snr_candidates.' }),
  continuation: ContinuationSchema.optional(),
  target_id: count.optional().meta({
    description:
      'The target itself, for models whose vocabulary writes this token as `target`, leading space included.',
  }),
});
/** A run request as the server keeps it, defaults filled in. */
export type RunRequest = z.infer<typeof RunRequestSchema>;
/** A run request as it may be sent. */
export type RunRequestInput = z.input<typeof RunRequestSchema>;

export const RunStateNameSchema = z
  .enum(['queued', 'running', 'done', 'cancelled', 'error', 'interrupted'])
  .meta({ description: '`interrupted`: the server ended before the work did; it can be asked for again.' });
export type RunStateName = z.infer<typeof RunStateNameSchema>;

export const RunCreatedSchema = z.object({ id: z.string() });
export type RunCreated = z.infer<typeof RunCreatedSchema>;

export const BlockSummarySchema = z.object({
  kind: BlockKindSchema,
  label: z.string().optional().meta({ description: 'The kind for people; absent in runs of earlier versions.' }),
  lambda: z.number().nullable().meta({ description: 'λ (its mean where it is a vector); null for plain blocks.' }),
  lambdaInit: z.number().nullable().meta({ description: 'Null for plain blocks.' }),
  branches: z
    .array(BranchSchema)
    .meta({ description: 'Maps that exist; the last one is the default. None of a layer that is an MLP.' }),
  softmax: z.array(BranchSchema).optional().meta({
    description:
      'Those of the branches that are softmax attention, whose own map has the form `softmax`; absent where none is.',
  }),
  exact: z.array(BranchSchema).optional().meta({
    description:
      'Branches of the forms `logit` and `norm`, where they are others: two mixers side by side have a sum there.',
  }),
  points: z
    .partialRecord(z.enum(PATCH_POINTS), z.array(z.enum(MIXERS)))
    .optional()
    .meta({
      description:
        'What patching can carry over, and the mixers that have it each for itself; absent in runs of earlier versions.',
    }),
  heads: count.meta({
    description: 'Heads of one mixer, of the scan where attention stands beside it; 0 for Mamba-1 kinds.',
  }),
  channels: count.meta({ description: 'Channels E of one mixer.' }),
});
export type BlockSummary = z.infer<typeof BlockSummarySchema>;

const readoutValue = z.number().nullable().meta({ description: 'Null where it is not defined.' });
/** One entry of the logit lens at the token that is read, for the run's target: told layer by layer while a run computes. */
export const ReadoutSchema = z.object({
  entry: z.string(),
  target_prob: readoutValue,
  target_logprob: readoutValue,
  target_log_odds: readoutValue,
  target_rank: readoutValue,
  margin: readoutValue,
  margin_std: readoutValue,
  entropy: readoutValue,
  snr_vocab: readoutValue,
  snr_candidates: readoutValue,
  top_ids: z.array(count),
  top_probs: z.array(z.number()),
});
export type Readout = z.infer<typeof ReadoutSchema>;

export const RunModelSchema = z.object({
  name: z.string(),
  warnings,
  tokenizer: UsedTokenizerSchema.optional(),
  tokens: z.array(TokenSchema),
  position: count.meta({ description: 'Token at which signals are read by default.' }),
  needle: SpanSchema.nullable().meta({ description: 'The needle in tokens.' }),
  target: VocabularyEntrySchema,
  answer: z.array(VocabularyEntrySchema).optional().meta({
    description:
      'All tokens of the answer, where it has several: curves, maps and tests read the first, the reading `answer` scores all.',
  }),
  candidates: z.array(VocabularyEntrySchema),
  named: z.array(VocabularyEntrySchema).optional().meta({
    description: 'Tokens that its lens names, of a run that was computed elsewhere: the model may not be here.',
  }),
  entries: z.array(z.string()).meta({ description: 'Lens entries: embedding, layer 0 …, final.' }),
  blocks: z.array(BlockSummarySchema),
  mapsReady: count.meta({ description: 'Layers 0 … mapsReady − 1 have maps.' }),
  forwardMs: z
    .number()
    .nonnegative()
    .optional()
    .meta({ description: 'Milliseconds that the blocks of the forward pass took, maps and lens apart.' }),
  signalReady: z.boolean(),
  lensReady: z.boolean(),
  readout: z
    .array(ReadoutSchema)
    .optional()
    .meta({ description: 'While the forward pass runs: what each finished layer says at the token that is read.' }),
  error: z.string().optional(),
});
export type RunModel = z.infer<typeof RunModelSchema>;

export const StageSchema = z.enum(['loading', 'forward']);
export type Stage = z.infer<typeof StageSchema>;

export const ProgressSchema = z.object({
  model: count.meta({ description: 'Index into the models of the run.' }),
  stage: StageSchema,
  layer: count.meta({ description: 'Steps of this stage that are finished; while loading, parameters.' }),
  layers: count,
  secondsLeft: z
    .number()
    .nonnegative()
    .nullable()
    .meta({ description: 'Estimate for the whole run, which never rises; null before one exists.' }),
  share: z.number().min(0).max(1).meta({ description: 'Of the work of the whole run that is done.' }),
});
export type Progress = z.infer<typeof ProgressSchema>;

const instant = z.number().meta({ description: 'Milliseconds since 1970.' });

export const TimingSchema = z.object({
  createdAt: instant,
  startedAt: instant.nullable().meta({ description: 'Later for a run that was resumed, by the time it stood still.' }),
  finishedAt: instant.nullable(),
  firstMapMs: z.number().nullable().meta({ description: 'From start to the first map.' }),
});
export type Timing = z.infer<typeof TimingSchema>;

export const KeptAnalysisSchema = z.object({
  id: z.string().meta({ description: 'What `/api/analyses/{id}` knows it by: request, result and tensors.' }),
  kind: z.string().meta({ description: 'As in AnalysisRequest.' }),
  question: z.string().meta({ description: 'Equal for requests that ask the same, defaults filled in.' }),
  createdAt: instant,
});
export type KeptAnalysis = z.infer<typeof KeptAnalysisSchema>;

export const RunSchema = z.object({
  id: z.string(),
  name: z.string().optional().meta({ description: 'What its reader calls it.' }),
  state: RunStateNameSchema,
  request: RunRequestSchema,
  queuePosition: count.meta({ description: '0 when running or finished, 1 for the next one, …' }),
  progress: ProgressSchema.nullable(),
  models: z.array(RunModelSchema),
  device: DeviceSchema.nullable(),
  timing: TimingSchema,
  available: z.boolean().meta({
    description: 'False once the activations are neither in memory nor on disk: maps and lenses need a new run.',
  }),
  analyses: z
    .array(KeptAnalysisSchema)
    .meta({ description: 'Finished causal tests and batches that were asked for with this run, oldest first.' }),
  error: z.string().optional(),
});
export type Run = z.infer<typeof RunSchema>;

export const RunSummarySchema = z.object({
  id: z.string(),
  name: z.string().meta({ description: 'Empty when nobody named it.' }),
  state: RunStateNameSchema,
  request: RunRequestSchema,
  timing: TimingSchema,
  available: z.boolean(),
  kept: z.boolean().meta({ description: 'Whether it is on disk and outlives the server.' }),
  bytes: count.meta({ description: 'Bytes of its arrays on disk.' }),
});
export type RunSummary = z.infer<typeof RunSummarySchema>;

export const RunListSchema = z.object({
  runs: z.array(RunSummarySchema),
  archive: ArchiveSchema.extend({
    limitBytes: count.meta({ description: 'The oldest runs are removed beyond this.' }),
  }),
});
export type RunList = z.infer<typeof RunListSchema>;

/** Server-sent events of one run, by event name. A stream opens with `run`, the whole state. */
export const RunEventSchemas = {
  run: RunSchema,
  progress: ProgressSchema,
  layer: z.object({
    model: count,
    layer: count,
    lambda: z.number().nullable().meta({ description: "The block's λ, now that it is known; null for plain blocks." }),
    readout: z.array(ReadoutSchema).meta({
      description:
        'What the layer says at the token that is read; with the first the embedding, with the last the output.',
    }),
  }),
  signal: z.object({ model: count }),
  lens: z.object({ model: count }),
  state: z.object({ state: RunStateNameSchema, error: z.string().optional() }),
} as const;
export type RunEventName = keyof typeof RunEventSchemas;
export type RunEvents = { [K in RunEventName]: z.infer<(typeof RunEventSchemas)[K]> };
export type RunEvent = { [K in RunEventName]: { event: K; data: RunEvents[K] } }[RunEventName];

export const LensKindSchema = z.enum(['logit', 'tuned']).meta({
  description: '`tuned` uses the translators in the folder `tuned-lens` of the model.',
});
export type LensKind = z.infer<typeof LensKindSchema>;
