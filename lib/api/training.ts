import { z } from 'zod';

const count = z.int().min(0);
const measure = z.number().nullable();

export const TrainingQuerySchema = z.object({
  folder: z.string().max(1000).optional().meta({
    description: 'Only runs in it and up to four levels below; absolute, or from where the server was set up.',
  }),
});
export type TrainingQuery = z.input<typeof TrainingQuerySchema>;

const AnswerSampleSchema = z.object({
  label: z.string().optional(),
  read: z.string().meta({ description: 'The end of what stands before the answer.' }),
  wanted: z.string(),
  given: z.string(),
});

export const TrainingRunSchema = z.object({
  folder: z.string(),
  name: z.string().meta({ description: 'Its place below the folder that was looked through.' }),
  arm: count.meta({ description: 'Runs of one arm have one configuration but for `name` and `seed`.' }),
  seed: z.int(),
  step: count,
  steps: count.meta({ description: 'Of all stages, where none ends before its limit.' }),
  stage: z.string(),
  finished: z.boolean(),
  updatedAt: z.iso.datetime().meta({ description: 'When the last line was written.' }),
  secondsLeft: z.number().min(0),
  tokensPerSecond: z.number().min(0),
  points: z
    .array(
      z.object({
        step: count,
        text: measure,
        answers: measure,
        lambda: z.array(z.object({ block: count, lambda: z.number(), sigma: z.number().optional() })),
      }),
    )
    .meta({ description: 'Losses of training in nats, and λ, at steps spread evenly.' }),
  evaluations: z.array(
    z.object({
      step: count,
      accuracy: measure,
      labels: z.record(z.string(), z.object({ accuracy: z.number(), n: count })),
      text: measure,
      answers: measure,
    }),
  ),
  samples: z.array(AnswerSampleSchema).meta({ description: 'Answers of the last evaluation.' }),
});
export type TrainingRun = z.infer<typeof TrainingRunSchema>;

export const TrainingRunsSchema = z.object({
  runs: z.array(TrainingRunSchema),
  folders: z.array(z.string()).meta({ description: 'That were looked through.' }),
  broken: z
    .array(z.object({ folder: z.string(), message: z.string() }))
    .meta({ description: 'Runs whose files cannot be read.' }),
});
export type TrainingRuns = z.infer<typeof TrainingRunsSchema>;
