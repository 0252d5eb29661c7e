import { z } from 'zod';
import { ContinuationSchema, RunStateNameSchema, UsedTokenizerSchema, VocabularyEntrySchema } from './schemas';

/** Text that a model adds to a prompt, token by token. */

const count = z.number().int().nonnegative();
const probability = z.number().min(0).max(1);

export const GenerationRequestSchema = z
  .object({
    model: z.string().min(1).max(300),
    prompt: z.string().min(1, 'the prompt is empty'),
    continuation: ContinuationSchema.optional(),
    max_new_tokens: z.number().int().min(1).max(1024).default(20),
    temperature: z
      .number()
      .positive()
      .max(100)
      .optional()
      .meta({ description: 'Divides the logits before a token is drawn; absent: the best token is always taken.' }),
    top_k: z.number().int().min(1).optional().meta({ description: 'Draw among the k most likely tokens.' }),
    top_p: z
      .number()
      .positive()
      .max(1)
      .optional()
      .meta({ description: 'Draw among the most likely tokens that together reach this probability.' }),
    seed: count
      .max(2 ** 31)
      .default(0)
      .meta({ description: 'Equal seeds give equal text.' }),
    alternatives: z
      .number()
      .int()
      .min(1)
      .max(50)
      .default(10)
      .meta({ description: 'Most likely tokens told at each step.' }),
  })
  .refine(
    ({ temperature, top_k, top_p }) => temperature !== undefined || (top_k === undefined && top_p === undefined),
    {
      message: 'top_k and top_p need a temperature: without one the best token is always taken',
    },
  );
export type GenerationRequest = z.infer<typeof GenerationRequestSchema>;
export type GenerationRequestInput = z.input<typeof GenerationRequestSchema>;

export const GeneratedTokenSchema = z.object({
  index: count.meta({ description: 'Place in the added text, from 0.' }),
  id: count,
  text: z.string().meta({ description: 'The token, for the eye.' }),
  piece: z.string().meta({
    description: 'What it adds to the text; empty while a character is not complete. The pieces make the added text.',
  }),
  as_target: VocabularyEntrySchema.nullable().meta({
    description:
      'The token that a run reads when `text` is its target; another one inside a word, null where there is none.',
  }),
  probability: probability.meta({ description: "The model's own: neither temperature nor limits are in it." }),
  rank: count.min(1).meta({ description: '1 is the most likely token.' }),
  entropy: z.number().meta({ description: 'Of the next token, nats.' }),
  alternatives: z.array(VocabularyEntrySchema.extend({ probability })).meta({ description: 'Most likely first.' }),
});
export type GeneratedToken = z.infer<typeof GeneratedTokenSchema>;

/** Server-sent events of a generation, by event name. The last one is a `state` that is final. */
export const GenerationEventSchemas = {
  state: z.object({
    state: RunStateNameSchema,
    queuePosition: count.meta({ description: '0 when running or finished, 1 for the next one, …' }),
    error: z.string().optional(),
    tokenizer: UsedTokenizerSchema.optional().meta({ description: 'Told when the generation begins.' }),
  }),
  token: GeneratedTokenSchema,
} as const;
export type GenerationEventName = keyof typeof GenerationEventSchemas;
export type GenerationEvents = { [K in GenerationEventName]: z.infer<(typeof GenerationEventSchemas)[K]> };
export type GenerationEvent = {
  [K in GenerationEventName]: { event: K; data: GenerationEvents[K] };
}[GenerationEventName];
