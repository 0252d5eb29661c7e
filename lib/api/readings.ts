import { z } from 'zod';
import {
  BLOCK_COMPONENTS,
  CHANNEL_STATISTICS,
  LENS_STATISTICS,
  ROLLOUT_METHODS,
  type RolloutMethod,
  SCANS,
  TOKEN_CLASSES,
  TOKEN_TRACKS,
  UNITS,
} from '@/lib/vocabulary';
import { LayerAllocationSchema } from './allocation';
import { BranchSchema, FormSchema, LensKindSchema, ReduceSchema, SpanSchema } from './schemas';
import { wireOf } from './wire';

/**
 * What can be read of a run, once: route, client, OpenAPI document, worker, export and the page's queries follow from
 * the table at the end. A new reading is a row here, its computation in `lib/server/compute`, and where it is tensors a line in `bodies.ts`.
 */

interface JsonReply<S extends z.ZodType> {
  readonly kind: 'json';
  readonly about: string;
  readonly schema: S;
}

interface TensorsReply<M extends z.ZodType> {
  readonly kind: 'tensors';
  /** The tensors by name, with shapes and types. */
  readonly about: string;
  /** Of `__metadata__`, whose values are strings in the file, as safetensors requires. */
  readonly metadata: M;
  /** Whether the same question has a longer answer later, so that nobody may keep it. */
  readonly growing: boolean;
}

/** @typeParam Q an object schema whose parameters a URL can carry */
interface Reading<Q extends z.ZodObject, R> {
  readonly about: string;
  readonly query: Q;
  readonly reply: R;
}

const json = <S extends z.ZodType>(about: string, schema: S): JsonReply<S> => ({ kind: 'json', about, schema });

const tensors = <M extends z.ZodType>(about: string, metadata: M, growing = false): TensorsReply<M> => ({
  kind: 'tensors',
  about,
  metadata,
  growing,
});

const reading = <Q extends z.ZodObject, R>(about: string, query: Q, reply: R): Reading<Q, R> => ({
  about,
  query,
  reply,
});

const count = z.number().int().nonnegative();
/** A count in a URL. */
const asked = z.coerce.number<number>().int().nonnegative();
const askedPosition = z.coerce.number<number>().int().min(-1).optional();
const commaSeparated = z.string().transform((text) => text.split(','));
/** A number that `__metadata__` holds as text. */
const written = z.coerce.number();

const model = asked.default(0);
const layer = asked;
const target = asked.optional().meta({ description: "Token id; default: the run's target." });
const position = askedPosition.meta({ description: "Default: the run's position." });

const without = z
  .string()
  .regex(
    /^(conv|activation|gate|norm|D)(,(conv|activation|gate|norm|D)){0,4}$/,
    'without must name conv, activation, gate, norm or D',
  )
  .transform((text) => BLOCK_COMPONENTS.filter((part) => text.split(',').includes(part)))
  .optional()
  .meta({ description: 'Parts of the form `block` that are replaced by the identity, separated by commas.' });
const targetOfLogit = asked
  .optional()
  .meta({ description: "Token id of the form `logit`; default: the run's target." });

const MapQuerySchema = z.object({
  model,
  layer,
  branch: BranchSchema.optional().meta({ description: "Default: the block's last branch." }),
  reduce: ReduceSchema.default('mean'),
  form: FormSchema.default('s6'),
  target: targetOfLogit,
  without,
});

export const MapMetadataSchema = z.object({
  form: FormSchema,
  reduce: ReduceSchema,
  branch: BranchSchema,
  convention: z.string(),
  reconstruction_error: written,
  max_abs: written,
  ms: written.meta({ description: 'Time that the map took when it was computed.' }),
  memory_bytes: written.meta({ description: 'Bytes that making it was said to take before it began.' }),
});
export type MapMetadata = z.infer<typeof MapMetadataSchema>;

/** What making a map takes, known before it begins. */
export const MapEstimateSchema = z.object({
  bytes: count.meta({ description: 'Bytes beside weights and activations; counted generously, not measured.' }),
  limit_bytes: count.meta({ description: 'What takes more is refused (STATESCOPE_MAP_MEMORY_MB).' }),
  kept: z.boolean().meta({ description: 'Whether the map is there already, so that nothing is to be computed.' }),
});
export type MapEstimate = z.infer<typeof MapEstimateSchema>;

const unit = z.enum(UNITS);

export const ChannelsMetadataSchema = z.object({ unit, branches: commaSeparated, ms: written });

export const TracksMetadataSchema = z.object({
  unit: z.string().meta({ description: '`mean`, or the number of the unit.' }),
  units: unit,
  branches: commaSeparated,
  ms: written,
});

export const PairSchema = z.object({
  unit,
  channels: z.array(z.object({ index: count, value: z.number() })).meta({ description: 'Strongest first.' }),
});
export type Pair = z.infer<typeof PairSchema>;

export const RolloutMethodSchema = z.enum(ROLLOUT_METHODS).meta({
  description:
    'What is multiplied over layers: `norm` and `alti`, shares of the residual stream by token, its own included, as lengths or by nearness; and as published by Ali et al. `plain` I + mean α, `normalised` the same with every row divided by its sum, `attribution` I + (mean gradient of a logit ⊙ mean α)⁺, `attribution_code` what their code makes of it. Only `plain` and `normalised` read `reduce`.',
});
export type { RolloutMethod };

export const RolloutMetadataSchema = z.object({
  method: RolloutMethodSchema,
  convention: z.string(),
  max_abs: written,
  ms: written,
  memory_bytes: written.meta({ description: 'Bytes that it was said to take before it began.' }),
});

export const ThumbnailsMetadataSchema = z.object({
  form: FormSchema,
  reduce: ReduceSchema,
  first: written.int().meta({ description: 'The first layer present.' }),
  layers: written.int().meta({ description: 'How many are present.' }),
  size: written.int(),
});

export const LensMetadataSchema = z.object({
  lens: LensKindSchema,
  entries: commaSeparated.meta({ description: 'Labels of the first axis, separated by commas.' }),
  target: written.int(),
  positions: commaSeparated
    .transform((list) => list.map(Number))
    .optional()
    .meta({ description: 'Positions of the second axis, separated by commas; all of them where absent.' }),
  length: written.int().optional().meta({ description: 'Tokens of the prompt, where positions are given.' }),
});

const needleSpan = z
  .string()
  .regex(/^\d{1,7},\d{1,7}$/, 'needle must be start,end in tokens')
  .transform((text) => text.split(',').map(Number) as [number, number])
  .pipe(SpanSchema)
  .optional()
  .meta({ description: "`start,end` in tokens; default: the run's needle." });

const curve = z.array(z.number().nullable());

export const SignalSchema = z.object({
  lens: LensKindSchema,
  entries: z.array(z.string()),
  position: count,
  target: count,
  needle: SpanSchema.nullable(),
  target_prob: curve,
  target_logprob: curve,
  target_log_odds: curve.meta({ description: 'ln p/(1 − p) of the target.' }),
  margin: curve.meta({
    description: 'Logit of the target minus that of the strongest other token: not comparable between models.',
  }),
  margin_std: curve.meta({ description: 'The margin ÷ the standard deviation of the other logits.' }),
  snr_vocab: curve,
  snr_candidates: curve,
  needle_against_context: curve.nullable().meta({
    description: 'Null where it was not asked for; else null for the embedding and the output, and without a needle.',
  }),
});
export type Signal = z.infer<typeof SignalSchema>;

export const AttributionSchema = z.object({
  target: count,
  position: count,
  logit: z.number(),
  components: z.array(
    z.object({
      block: z.number().int().min(-1).meta({ description: '−1 for the embedding.' }),
      part: z.enum(['embedding', 'mixer', 'branch_1', 'minus_lambda_branch_2', 'attention', 'mamba', 'bias', 'mlp']),
      contribution: z.number(),
    }),
  ),
  blocks: z.array(z.number()).meta({ description: 'What each block adds as a whole.' }),
  convention: z.string(),
  reconstruction_error: z.number().meta({ description: '|logit − sum of the contributions| as a share of the logit.' }),
});

export const AnswerSchema = z.object({
  position: count,
  tokens: z
    .array(z.object({ id: count, logprob: z.number().nullable() }))
    .meta({ description: 'ln p of each token, given those before it.' }),
  logprob: z
    .number()
    .nullable()
    .meta({ description: 'ln p of the whole answer, their sum; null where it is −∞ or not a number.' }),
});

export const AllocationSchema = z.object({
  position: count,
  classes: z.array(z.enum(TOKEN_CLASSES)).meta({ description: 'Of every token up to the one that is read.' }),
  answer: AnswerSchema.nullable().meta({
    description: 'Score of the whole answer, null where it is one token: what is said in logits is of its first.',
  }),
  layers: z.array(LayerAllocationSchema),
});

const tokenSpans = z
  .string()
  .regex(/^\d{1,7},\d{1,7}(;\d{1,7},\d{1,7}){0,99}$/, 'spans must be start,end in tokens, separated by semicolons')
  .transform((text) => text.split(';').map((span) => span.split(',').map(Number) as [number, number]))
  .pipe(z.array(SpanSchema))
  .optional();

const answerTokens = z
  .string()
  .regex(/^\d{1,7}(,\d{1,7}){0,999}$/, 'answer must be token ids separated by commas')
  .transform((text) => text.split(',').map(Number))
  .optional();

export const READINGS = {
  map: reading(
    'Implicit attention of one layer',
    MapQuerySchema,
    tensors(
      '`map` [L, L] F32, rows destinations, columns sources; `rest` [L] F32 where bias terms belong to no source (form `logit`, a channel of `block`)',
      MapMetadataSchema,
    ),
  ),
  'map/estimate': reading(
    'What a map would take, without making it; 422 where the map would be refused',
    MapQuerySchema,
    json('Bytes', MapEstimateSchema),
  ),
  channels: reading(
    'Statistics of every channel (Mamba-1 kinds) or head (Mamba-2 kinds) of one layer',
    z.object({ model, layer }),
    tensors(
      `\`branch.statistic\` [units] F32 for ${CHANNEL_STATISTICS.join(', ')}, and \`branch.delta\` [L, units]`,
      ChannelsMetadataSchema,
    ),
  ),
  tracks: reading(
    'What every token does in the scans of one layer: Δ, decay, half-life, gate, norm of the state',
    z.object({
      model,
      layer,
      unit: z
        .string()
        .regex(/^(mean|\d{1,6})$/, 'unit must be mean or the number of a channel or head')
        .default('mean')
        .meta({ description: 'A channel (Mamba-1 kinds) or head (Mamba-2 kinds), or the mean over all.' }),
    }),
    tensors(`\`branch.track\` [L] F32 for ${TOKEN_TRACKS.join(', ')}`, TracksMetadataSchema),
  ),
  pair: reading(
    'The channels or heads that read most from one token at another',
    z.object({
      model,
      layer,
      branch: z.enum(SCANS).optional().meta({ description: 'Default: the first scan.' }),
      form: z.enum(['s6', 'block']).default('s6'),
      i: asked.meta({ description: 'Target token.' }),
      j: asked.meta({ description: 'Source token, not after the target.' }),
      k: z.coerce.number<number>().int().min(1).max(1000).default(10),
    }),
    json('Channels', PairSchema),
  ),
  rollout: reading(
    'Rollout of shares or of attention over all layers, or gradient-weighted attribution',
    z.object({
      model,
      reduce: z.enum(['mean', 'mean_abs']).default('mean'),
      method: RolloutMethodSchema.default('norm'),
      start: asked.default(0).meta({ description: 'First layer that takes part.' }),
      target: asked.optional().meta({ description: "Token id of `attribution`; default: the run's target." }),
      position: askedPosition.meta({
        description: "Where `attribution` reads the logit; default: the run's position.",
      }),
    }),
    tensors('`map` [L, L] F32', RolloutMetadataSchema),
  ),
  thumbnails: reading(
    'Small maps of the finished layers',
    z.object({
      model,
      branch: BranchSchema.optional().meta({ description: 'Plain blocks always show `single`.' }),
      reduce: ReduceSchema.default('mean'),
      form: FormSchema.default('s6'),
      target: targetOfLogit,
      without,
      first: layer.default(0).meta({ description: 'The first layer that is wanted.' }),
      count: z.coerce
        .number<number>()
        .int()
        .min(1)
        .optional()
        .meta({ description: 'How many layers at most. Default: all that are finished.' }),
      size: z.coerce.number<number>().int().min(4).max(256).default(56),
    }),
    tensors(
      '`thumbnails` [layers, s, s] F32, s = min(size, L)',
      ThumbnailsMetadataSchema,
      // More layers finish while the run computes.
      true,
    ),
  ),
  lens: reading(
    'Statistics of the logit lens or the tuned lens at every entry and position',
    z.object({
      model,
      target,
      lens: LensKindSchema.default('logit'),
      candidates: z
        .string()
        .regex(/^\d{1,7}(,\d{1,7}){0,999}$/, 'candidates must be token ids separated by commas')
        .transform((text) => text.split(',').map(Number))
        .optional()
        .meta({ description: "Token ids for `snr_candidates`; default: the run's candidates." }),
      positions: z
        .string()
        .regex(/^\d{1,7}(,\d{1,7}){0,255}$/, 'positions must be numbers of tokens separated by commas')
        .transform((text) => text.split(',').map(Number))
        .optional()
        .meta({ description: 'Positions, each costs as much as the next; default all.' }),
    }),
    tensors(
      `\`top_ids\` [entries, L, k] I32, \`top_probs\` [entries, L, k] F32, and [entries, L] F32: ${LENS_STATISTICS.join(', ')}`,
      LensMetadataSchema,
    ),
  ),
  signal: reading(
    'Signal of the target at one position, per entry',
    z.object({
      model,
      position,
      target,
      needle: needleSpan,
      competing: tokenSpans.meta({ description: 'As for `allocation`, for `needle_against_context`.' }),
      question: tokenSpans.meta({ description: 'The question, likewise: it is no part of the context.' }),
      lens: LensKindSchema.default('logit'),
      with: z.literal('needle_against_context').optional().meta({
        description:
          'The needle against the context costs a row of every layer’s operator, so it is computed only where it is named.',
      }),
    }),
    json('Curves', SignalSchema),
  ),
  attribution: reading(
    'Direct logit attribution: what embedding, blocks and branches add to a logit',
    z.object({ model, target, position }),
    json('Contributions', AttributionSchema),
  ),
  answer: reading(
    'Score of a whole answer: ln p of all its tokens after the prompt, each given those before it',
    z.object({
      model,
      position: position.meta({ description: "The token that the answer follows; default: the run's position." }),
      answer: answerTokens.meta({ description: "Token ids; default: those of the run's target." }),
    }),
    json('Score', AnswerSchema),
  ),
  allocation: reading(
    'What every finished layer reads at one token, by class of token',
    z.object({
      model,
      position,
      target,
      foil: asked.optional().meta({ description: 'Token id of the wrong answer that the logits are held against.' }),
      needle: needleSpan,
      competing: tokenSpans.meta({
        description: 'What names another answer: `start,end` in tokens, separated by semicolons.',
      }),
      question: tokenSpans.meta({ description: 'The question, likewise.' }),
      answer: answerTokens.meta({
        description:
          "Token ids of the whole answer, which is scored where there are several; default: those of the run's target, for that target.",
      }),
    }),
    json('Reads by layer and class', AllocationSchema),
  ),
} as const;

export type ReadingName = keyof typeof READINGS;

export const isReading = (name: string): name is ReadingName => Object.hasOwn(READINGS, name);

type Query<N extends ReadingName> = (typeof READINGS)[N]['query'];
type Sent<N extends ReadingName> = z.input<Query<N>>;
type Parsed<N extends ReadingName> = z.output<Query<N>>;
type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];
/** Lists may be read-only. */
type Given<T> = T extends readonly unknown[] ? Readonly<T> : T;

/** A question as a caller puts it: what has a default may be left out. */
export type AskedReading<N extends ReadingName> = {
  readonly [K in Exclude<keyof Sent<N>, Optional<Sent<N>>>]: Given<Parsed<N>[K & keyof Parsed<N>]>;
} & { readonly [K in Optional<Sent<N>>]?: Given<Parsed<N>[K & keyof Parsed<N>]> };

/** A question with every default filled in. */
export type ReadingQuery<N extends ReadingName> = Parsed<N>;

/** What answers on the wire: a safetensors body, or a value that is sent as JSON. */
export type ReadingBody<N extends ReadingName> =
  (typeof READINGS)[N]['reply'] extends JsonReply<infer S> ? z.output<S> : Uint8Array<ArrayBuffer>;

/** A value that answers as JSON; never where tensors do. */
export type JsonRead<N extends ReadingName> =
  (typeof READINGS)[N]['reply'] extends JsonReply<infer S> ? z.output<S> : never;

export type AttributionReply = JsonRead<'attribution'>;
export type Allocation = JsonRead<'allocation'>;
export type AnswerScore = JsonRead<'answer'>;

/** Reads a question, its defaults filled in, the one time that it is read. @throws ZodError */
export const readingQuery = <N extends ReadingName>(name: N, asked: AskedReading<N>): ReadingQuery<N> =>
  READINGS[name].query.parse(wireOf(asked)) as ReadingQuery<N>;
