import { z } from 'zod';
import { MAD_TASKS } from '@/lib/data/mad';
import { checked } from './evaluation';
import { recallEvaluation, recallSchema } from './recall';

const count = z.number().int().positive();
const fields = z.record(z.string(), z.unknown()).default({});
const { split } = recallSchema.shape;

export const mqarSchema = z
  .object({
    /** Fields of the source `mqar`; lengths and pairs replace its own. */
    data: fields,
    lengths: z.array(count).min(1).optional(),
    pairs: z.array(count).min(1).optional(),
    split,
    rows: count.optional(),
    batch: count.optional(),
  })
  .strict();

export type MqarSettings = z.input<typeof mqarSchema>;

type Recall = Awaited<ReturnType<typeof recallEvaluation>>;

/** Multi-query associative recall: right values by length, number of pairs and gap. @throws InputError */
export async function mqarEvaluation(given: unknown): Promise<Recall> {
  const settings = checked(mqarSchema, given, 'mqar');
  const { data, lengths = [undefined], pairs = [undefined], ...rest } = settings;
  const conditions = lengths.flatMap((length) =>
    pairs.map((own) => ({ ...data, source: 'mqar', ...(length && { length }), ...(own && { pairs: own }) })),
  );
  return { ...(await recallEvaluation({ ...rest, data: conditions }, 'mqar')), settings };
}

export const madSchema = z
  .object({
    tasks: z
      .array(z.enum(MAD_TASKS))
      .min(1)
      .default([...MAD_TASKS]),
    /** Fields of the source `mad` beside the task; the baseline of each task by default. */
    data: fields,
    split,
    /** As many as MAD tests with, and as many at once. */
    rows: count.default(1280),
    batch: count.default(128),
  })
  .strict();

export type MadEvaluationSettings = z.input<typeof madSchema>;

/** The tasks of MAD, by macro accuracy. @throws InputError */
export async function madEvaluation(given: unknown): Promise<Recall> {
  const settings = checked(madSchema, given, 'mad');
  const { tasks, data, ...rest } = settings;
  const conditions = tasks.map((task) => ({ ...data, source: 'mad', task }));
  return { ...(await recallEvaluation({ ...rest, data: conditions }, 'mad')), settings };
}
