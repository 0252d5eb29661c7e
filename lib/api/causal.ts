import { z } from 'zod';
import { ATTRIBUTION_METRICS, MIXERS, PATCH_DIRECTIONS, PATCH_METRICS, TOKEN_CLASSES } from '@/lib/vocabulary';
import { AllocationResultSchema, AllocationTaskSchema } from './allocation';
import { ExamplesSchema, SnrResultSchema, SnrTaskSchema } from './analyses';
import { FaithfulnessResultSchema, FaithfulnessTaskSchema } from './faithfulness';
import { MemorySchema } from './memory';
import { DeviceSchema, RunStateNameSchema, SpanSchema, UsedTokenizerSchema } from './schemas';

/**
 * What travels for analyses that take their time (docs/analyses.md): the causal tests patching, knock-out, ablation,
 * overrides of λ and interventions, whose spans and positions count tokens; allocation, faithfulness and SNR
 * over a batch.
 */

const count = z.number().int().nonnegative();
const counts = (most: number) => z.array(count).min(1).max(most);

const PromptSchema = z
  .union([z.string().min(1), counts(1_000_000)], 'a prompt is a text or a list of token ids')
  .meta({ description: 'A text, or token ids.' });
const AnswerSchema = z
  .union([count, z.string().min(1)], 'an answer is a token id or a word')
  .meta({ description: 'A token id, or a word whose first token counts.' });
const MixerSchema = z.enum(MIXERS).meta({ description: 'One mixer of differential blocks.' });
const UnitSchema = z.enum(['block', 'mixer', 'head', 'channel']);
const MOST_REFERENCES = 256;
const DEMO = /^demo:([1-9]\d?|1\d\d|2[0-4]\d|25[0-6])$/;
const SpansSchema = z.array(SpanSchema).min(1).max(10_000);
const CandidatesSchema = z.array(AnswerSchema).min(1).max(1000);

const question = {
  model: z.string().min(1).max(300),
  target: AnswerSchema,
  foil: AnswerSchema.optional().meta({ description: 'The wrong answer that the target is held against.' }),
  position: z
    .number()
    .int()
    .default(-1)
    .meta({ description: 'Token that is read; negative numbers count from the end.' }),
  memory_mb: MemorySchema,
};
const common = {
  ...question,
  layers: counts(10_000).optional().meta({ description: 'Layer numbers from 0; default all.' }),
};

const ClassSpansSchema = z
  .object({
    needle: SpanSchema.optional(),
    competing: z.array(SpanSchema).max(1000).optional(),
    question: z.array(SpanSchema).max(1000).optional(),
  })
  .strict();
const classes = ClassSpansSchema.optional().meta({
  description:
    'Columns are classes of tokens in place of spans, as these spans make them: read-out, needle, what competes, question, first, filler. In a pair they count in the clean prompt.',
});
const window = z
  .number()
  .int()
  .min(1)
  .max(10_000)
  .optional()
  .meta({ description: 'Layers that follow each other among those chosen and are changed together; default 1.' });

const check = count
  .max(10_000)
  .default(0)
  .meta({ description: 'The strongest cells of every kind that are computed exactly as well.' });

const pair = {
  clean: PromptSchema,
  corrupted: PromptSchema,
  direction: z.enum(PATCH_DIRECTIONS).optional().meta({
    description:
      '`denoise` (default) carries the clean run into the corrupted prompt, `noise` the corrupted run into the clean prompt.',
  }),
  spans: SpansSchema.optional().meta({
    description: 'Patched as a whole, in the prompt that receives; default each token.',
  }),
  classes,
  window,
  align: z
    .array(z.object({ clean: SpanSchema, corrupted: SpanSchema }))
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'Tokens that stand for each other; default each for the one at its place.' }),
};

const PatchSchema = z.object({
  kind: z.literal('patch'),
  ...common,
  ...pair,
  point: z
    .string()
    .regex(/^[\w.]{1,100}$/, 'point must be the name of a hook point')
    .default('hook_resid_pre')
    .meta({ description: 'A hook point of the block, `hook_h` (states), or `ssm`, `conv` (what decoding remembers).' }),
  mixer: MixerSchema.optional(),
  channels: counts(100_000).optional(),
  heads: counts(100_000).optional(),
});

const PatchAttributionSchema = z.object({
  kind: z.literal('patch_attribution'),
  ...common,
  ...pair,
  points: z
    .array(z.string().regex(/^[\w.]{1,100}$/, 'points must be names of hook points'))
    .min(1)
    .max(20)
    .optional()
    .meta({
      description:
        'Hook points of the block, `mixer_1` and `mixer_2` (what a branch brings to the subtraction), `hook_h` (states), `ssm`; default the residual stream, block outputs and branches.',
    }),
  metric: z.enum(ATTRIBUTION_METRICS).optional().meta({
    description: 'Measure that is followed; default the logit difference, or the logit of the target without a foil.',
  }),
  steps: z.number().int().min(1).max(64).default(1).meta({
    description: 'Runs between both prompts that gradients are averaged over; 1 takes the run that receives.',
  }),
  check,
});

const knockout = {
  ...common,
  prompt: PromptSchema,
  spans: SpansSchema.optional().meta({ description: 'Sources, each knocked out by itself; default each token.' }),
  classes,
  window,
  queries: z
    .union([z.enum(['later', 'answer']), SpanSchema], 'queries is later, answer or a span')
    .default('later')
    .meta({ description: 'Who stops reading.' }),
  reads: z.enum(['scan', 'block']).default('scan'),
  mixer: MixerSchema.optional(),
  together: z.boolean().default(false).meta({ description: 'All layers at once.' }),
};
const KnockoutSchema = z.object({ kind: z.literal('knockout'), ...knockout });
const KnockoutAttributionSchema = z.object({ kind: z.literal('knockout_attribution'), ...knockout, check });

const ReferenceSchema = z
  .union(
    [z.literal('self'), z.string().regex(DEMO), z.array(PromptSchema).min(1).max(MOST_REFERENCES)],
    `a reference is 1 to ${MOST_REFERENCES} prompts, demo:n with n up to ${MOST_REFERENCES}, or self`,
  )
  .meta({
    description:
      'Prompts that `mean` and `resample` are taken from, aligned at their last token; `demo:n` held-out stories; `self` for the prompt itself, over all its tokens. Only these methods take one, and they cannot do without.',
  });

const ablate = {
  ...common,
  prompt: PromptSchema,
  unit: UnitSchema.default('block'),
  spans: SpansSchema.optional().meta({
    description: 'Tokens at which parts are replaced, each span by itself; default all tokens at once.',
  }),
  classes,
  window: window.meta({ description: 'Layers whose blocks, or the same mixers, are replaced together; default 1.' }),
  method: z.enum(['zero', 'mean', 'resample']).default('zero'),
  reference: ReferenceSchema.optional(),
  candidates: CandidatesSchema.optional().meta({ description: 'Answer set of `snr_candidates`.' }),
  seed: count.default(0).meta({ description: 'Of `resample` and of stories.' }),
  mixer: MixerSchema.optional(),
};
const AblateSchema = z.object({ kind: z.literal('ablate'), ...ablate });
const AblateAttributionSchema = z.object({ kind: z.literal('ablate_attribution'), ...ablate, check });

const LambdaSchema = z.object({
  kind: z.literal('lambda'),
  ...common,
  prompt: PromptSchema,
  values: z.array(z.number()).min(1).max(1000).meta({ description: 'Values of λ that are tried; 0 removes branch 2.' }),
  relative: z.boolean().default(false).meta({
    description: 'Values are multiples of each layer’s own λ: 1 is the model as it is.',
  }),
  classes: ClassSpansSchema.optional().meta({
    description: 'With a needle, what every layer reads of it under each value is said too.',
  }),
  candidates: CandidatesSchema.optional().meta({ description: 'Answer set of `snr_candidates`.' }),
  together: z.boolean().default(false).meta({ description: 'All layers at once.' }),
});

const CancellationSchema = z
  .object({
    kind: z.literal('cancellation'),
    ...common,
    prompt: PromptSchema,
    needle: SpanSchema.meta({ description: 'Tokens that hold the answer.' }),
    candidates: CandidatesSchema.optional().meta({
      description: 'Without a foil, the target is held against their mean.',
    }),
  })
  .meta({ deprecated: true, description: 'Former name of `allocation` of one prompt, which it is answered by.' });

const { model, memory_mb, layers } = common;

const CancellationBatchSchema = z
  .object({
    kind: z.literal('cancellation_batch'),
    model,
    memory_mb,
    layers,
    examples: ExamplesSchema,
    resamples: z.number().int().min(1).max(20_000).default(2000).meta({ description: 'Of the bootstrap.' }),
    seed: count.default(42).meta({ description: 'Of the bootstrap and of stories; equal seeds give equal numbers.' }),
  })
  .meta({ deprecated: true, description: 'Former name of `allocation` over a batch, which it is answered by.' });

const layer = count.meta({ description: 'Counted from 0.' });

const InterveneSchema = z.object({
  kind: z.literal('intervene'),
  ...question,
  prompt: PromptSchema,
  candidates: CandidatesSchema.optional().meta({ description: 'Answer set of `snr_candidates`.' }),
  lambdas: z
    .array(z.object({ layer, value: z.number() }))
    .max(10_000)
    .default([])
    .meta({ description: 'λ of differential blocks, all set together.' }),
  removed: z
    .array(z.object({ layer, unit: UnitSchema, mixer: MixerSchema.optional(), index: count.optional() }))
    .max(10_000)
    .default([])
    .meta({ description: 'Blocks, mixers, heads or channels, all taken out together.' }),
  method: z.enum(['zero', 'mean']).default('zero').meta({ description: 'What stands in for what is taken out.' }),
  reference: ReferenceSchema.optional(),
  seed: count.optional().meta({ description: 'Of stories; default 0.' }),
});

export const AnalysisRequestSchema = z.discriminatedUnion('kind', [
  PatchSchema,
  PatchAttributionSchema,
  KnockoutSchema,
  KnockoutAttributionSchema,
  AblateSchema,
  AblateAttributionSchema,
  LambdaSchema,
  CancellationSchema,
  CancellationBatchSchema,
  InterveneSchema,
  AllocationTaskSchema,
  FaithfulnessTaskSchema,
  SnrTaskSchema,
]);
export type AnalysisRequest = z.output<typeof AnalysisRequestSchema>;
export type AnalysisRequestInput = z.input<typeof AnalysisRequestSchema>;
/** A request by a name that `allocation` has taken over. */
export type FormerRequest = Extract<AnalysisRequest, { kind: 'cancellation' | 'cancellation_batch' }>;
/** A request for a causal test. */
export type CausalRequest = Exclude<AnalysisRequest, { kind: 'snr' | 'allocation' | 'faithfulness' }>;

export const AnalysisCreatedSchema = z.object({
  id: z.string(),
  note: z
    .string()
    .optional()
    .meta({ description: 'What the request should know: a former name, a word of several tokens.' }),
});
export type AnalysisCreated = z.infer<typeof AnalysisCreatedSchema>;

/** Where the result of an analysis is kept. */
export const AnalysisQuerySchema = z.object({
  run: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'A run that keeps the result once it is finished, and takes it along when it is removed.' }),
});
export type AnalysisQuery = z.infer<typeof AnalysisQuerySchema>;

const number = z.number().nullable().meta({ description: 'Null where it is not defined, or not computed yet.' });
const grid = z.array(z.array(number));
const metric = z.enum(['logit_difference', 'target_logit']);

const reading = {
  value: number,
  target_prob: number,
  target_rank: number,
  target_log_odds: number.meta({ description: 'ln p/(1 − p) of the target.' }),
  margin: number.meta({ description: 'Logit of the target minus that of the strongest other token.' }),
  margin_std: number.meta({ description: 'The margin ÷ the standard deviation of the other logits.' }),
  snr_vocab: number,
  snr_candidates: number,
  kl: number,
  answer: count,
};
const ReadingSchema = z.object(reading);
export type Reading = z.infer<typeof ReadingSchema>;
const reference = z
  .object({
    source: z.enum(['self', 'prompts']),
    prompts: count.meta({ description: 'Prompts that were taken.' }),
    left_out: count.meta({ description: 'Prompts that do not reach back as far as the prompt does.' }),
  })
  .nullable()
  .meta({ description: 'What `mean` and `resample` were taken from.' });
const FROZEN =
  'With every RMS norm dividing as in the unchanged run: what remains after a removal is not rescaled. Null in results from before this was measured.';
const removed = {
  ...reading,
  change: number,
  frozen_norms: z
    .object({ ...reading, change: number })
    .nullable()
    .meta({ description: FROZEN }),
};
const base = ReadingSchema.meta({ description: 'The unchanged model.' });

/** Results of cancellation are not made any more; runs of earlier versions keep some. */
const EARLIER = { deprecated: true, description: 'Of an earlier version.' };
const byBranch = <T extends z.ZodType>(value: T) => z.object({ first: value, second: value, difference: value });
const form = z.object({
  sources: byBranch(z.array(number)),
  needle: byBranch(number),
  noise: byBranch(number),
  share: byBranch(number),
  removed: z.object({ needle: number, noise: number }),
});

const estimate = z.object({ mean: number, stderr: number, low: number, high: number, n: count });
const formSummary = z.object({
  share: byBranch(estimate),
  gain: estimate.meta({ description: 'Share in the difference minus share in branch 1, prompt by prompt.' }),
  removed: z.object({ needle: estimate, noise: estimate }),
});

const windows = z.array(z.array(count)).optional().meta({
  description:
    'All layers of every row, which are changed together, `layers` the first; absent in results from before there were windows.',
});
const columnClasses = z
  .array(z.object({ class: z.enum(TOKEN_CLASSES), spans: z.array(SpanSchema) }))
  .optional()
  .meta({
    description: 'Where columns are classes: which, and of what tokens; `spans` are from the first to the last.',
  });

const cautions = z
  .array(
    z.object({
      kind: z.enum(['small_gap', 'no_foil', 'other_tokens']),
      text: z.string(),
      metric: z.enum(PATCH_METRICS).optional().meta({ description: 'Of a small gap.' }),
      positions: z
        .array(count)
        .optional()
        .meta({ description: 'Of other tokens that differ, in the prompt that receives.' }),
    }),
  )
  .meta({ description: 'Why effects may not mean what they seem to.' });

const compared = { estimated: number, exact: number };
const gridCell = z.object({ layer: count, span: SpanSchema, ...compared });
const agreementOf = <T extends z.ZodType>(cell: T) =>
  z.array(z.object({ point: z.string(), cells: z.array(cell), rank_correlation: number, correlation: number })).meta({
    description: 'Cells that were computed exactly as well, and how far the changes agree: Spearman’s and Pearson’s.',
  });

const cut = {
  metric,
  layers: z.array(z.array(count)),
  spans: z.array(SpanSchema),
  classes: columnClasses,
  position: count,
  base: number,
  without: grid,
  change: grid,
  tested: z.array(z.boolean()).meta({
    description: 'Of each span, whether somebody who stops reading could read it; where not, its numbers are null.',
  }),
};
const part = {
  layer: count,
  unit: UnitSchema,
  mixer: MixerSchema.optional(),
  index: count.optional().meta({ description: 'Of a head or channel.' }),
  layers: z.array(count).optional().meta({ description: 'All layers of a window, `layer` the first.' }),
  span: SpanSchema.optional().meta({ description: 'Tokens at which it was replaced; absent for all.' }),
  class: z.enum(TOKEN_CLASSES).optional(),
  tokens: count.optional().meta({ description: 'How many tokens the span or class has.' }),
};

export const AnalysisResultSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('patch'),
    metric,
    layers: z.array(count),
    windows,
    spans: z.array(SpanSchema),
    classes: columnClasses,
    position: count,
    clean: number,
    corrupted: number,
    patched: grid,
    effect: grid,
    direction: z.enum(PATCH_DIRECTIONS),
    metrics: z
      .partialRecord(z.enum(PATCH_METRICS), z.object({ clean: number, corrupted: number, patched: grid }))
      .meta({
        description: 'Every measure of the same runs; an effect is the share of the way to the run that gives.',
      }),
    cautions,
  }),
  z.object({
    kind: z.literal('patch_attribution'),
    direction: z.enum(PATCH_DIRECTIONS),
    metric: z.enum(ATTRIBUTION_METRICS),
    steps: count,
    layers: z.array(count),
    windows,
    spans: z.array(SpanSchema),
    classes: columnClasses,
    position: count,
    clean: number,
    corrupted: number,
    points: z
      .array(
        z.object({
          point: z.string(),
          layers: z.array(count).meta({ description: 'Layers that have it; the rows of others are null.' }),
          patched: grid.meta({ description: 'Estimates of the measure, by layer and span.' }),
          effect: grid,
        }),
      )
      .meta({ description: 'Estimates by kind of point.' }),
    agreement: agreementOf(gridCell),
    cautions,
  }),
  z.object({
    kind: z.literal('knockout'),
    ...cut,
    frozen_norms: z.object({ without: grid, change: grid }).nullable().meta({ description: FROZEN }),
  }),
  z.object({ kind: z.literal('knockout_attribution'), ...cut, agreement: agreementOf(gridCell) }),
  z.object({
    kind: z.literal('ablate'),
    metric,
    position: count,
    reference,
    base,
    runs: z.array(z.object({ ...part, ...removed })),
  }),
  z.object({
    kind: z.literal('ablate_attribution'),
    metric,
    position: count,
    reference,
    base,
    runs: z.array(z.object({ ...part, value: number, change: number })),
    agreement: agreementOf(z.object({ ...part, ...compared })),
  }),
  z.object({
    kind: z.literal('lambda'),
    metric,
    position: count,
    base,
    relative: z.boolean().default(false),
    own: z
      .array(z.object({ layer: count, lambda: number }))
      .default([])
      .meta({ description: 'λ of the layers that are changed as it is; its mean where a layer has one a channel.' }),
    needle_against_context: z.array(number).optional().meta({
      description: 'The needle’s part of what every layer of the unchanged model reads of its context, by norms.',
    }),
    runs: z.array(
      z.object({
        layers: z.array(count),
        lambda: z.number().meta({ description: 'The value, or the multiple of the layers’ own.' }),
        needle_against_context: z.array(number).optional(),
        ...removed,
      }),
    ),
  }),
  z.object({
    kind: z.literal('intervene'),
    metric,
    position: count,
    reference,
    base,
    changed: ReadingSchema.nullable().meta({ description: 'Null until the last block has run.' }),
    frozen_norms: ReadingSchema.nullable().meta({ description: FROZEN }),
    layers: z
      .array(
        z.object({
          layer: count,
          base: ReadingSchema,
          changed: ReadingSchema,
          frozen_norms: ReadingSchema.nullable().meta({ description: 'Null until this block has run that way.' }),
        }),
      )
      .meta({ description: 'What the residual stream after each block says through the logit lens.' }),
  }),
  z
    .object({
      kind: z.literal('cancellation'),
      position: count,
      needle: SpanSchema,
      layers: z.array(
        z.object({
          layer: count,
          lambda: number,
          logit: form,
          norm: form,
          rest: number,
          total: number,
          reconstructionError: number,
        }),
      ),
    })
    .meta(EARLIER),
  z
    .object({
      kind: z.literal('cancellation_batch'),
      examples: count.meta({ description: 'Prompts that are finished.' }),
      of: count,
      layers: z
        .array(
          z.object({
            layer: count,
            lambda: number,
            logit: formSummary,
            norm: formSummary,
            reconstructionError: number.meta({ description: 'The largest of the prompts.' }),
          }),
        )
        .meta({ description: 'Means with bootstrap 95 % intervals; empty before the first prompt.' }),
    })
    .meta(EARLIER),
  AllocationResultSchema,
  FaithfulnessResultSchema,
  SnrResultSchema,
]);
export type AnalysisResult = z.infer<typeof AnalysisResultSchema>;

export const AnalysisProgressSchema = z.object({
  done: count.meta({
    description:
      'Steps that are finished: blocks; for an allocation each example of every model once as it is read, then its layers; for faithfulness each example of every model once as it is read, then 20 times; for SNR each example three times: read, run, and looked at through the lens.',
  }),
  total: count,
  secondsLeft: z.number().nonnegative().nullable(),
});
export type AnalysisProgress = z.infer<typeof AnalysisProgressSchema>;

const instant = z.number().meta({ description: 'Milliseconds since 1970.' });

export const AnalysisSchema = z.object({
  id: z.string(),
  state: RunStateNameSchema,
  request: AnalysisRequestSchema,
  note: z.string().optional().meta({ description: 'As it was answered when the analysis was created.' }),
  tokenizers: z.record(z.string(), UsedTokenizerSchema).optional().meta({
    description: 'What reads the text of each model, by its name; left out where no text was read.',
  }),
  run: z.string().optional().meta({ description: 'The run that keeps it.' }),
  queuePosition: count.meta({ description: '0 when running or finished; runs wait in the same queue.' }),
  budget: z.object({
    rows: count.meta({ description: 'Prompts in one batch.' }),
    bytes: count.meta({ description: 'Most bytes beside the weights at a time.' }),
  }),
  progress: AnalysisProgressSchema.nullable(),
  result: AnalysisResultSchema.nullable().meta({ description: 'What is finished so far.' }),
  device: DeviceSchema.nullable(),
  timing: z.object({ createdAt: instant, startedAt: instant.nullable(), finishedAt: instant.nullable() }),
  error: z.string().optional(),
});
export type Analysis = z.infer<typeof AnalysisSchema>;

/** Server-sent events of one analysis, by event name. A stream opens with `analysis`, the whole state. */
export const AnalysisEventSchemas = {
  analysis: AnalysisSchema,
  progress: AnalysisProgressSchema,
  result: AnalysisResultSchema,
  state: z.object({ state: RunStateNameSchema, error: z.string().optional() }),
} as const;
export type AnalysisEventName = keyof typeof AnalysisEventSchemas;
export type AnalysisEvents = { [K in AnalysisEventName]: z.infer<(typeof AnalysisEventSchemas)[K]> };
export type AnalysisEvent = { [K in AnalysisEventName]: { event: K; data: AnalysisEvents[K] } }[AnalysisEventName];
