import { z } from 'zod';
import { SPLITS } from '@/lib/data/source';
import { STORY_TASKS, TASKS } from './labels';

const count = z.number().int().positive();

export const babilongSchema = z
  .object({
    /** The published samples: the folder of RMT-team/babilong-1k-samples. */
    folder: z.string().min(1).optional(),
    /** Or facts of bAbI, composed with other text: the folder of the tasks and the text. */
    babi: z.string().min(1).optional(),
    background: z.string().min(1).optional(),
    /** Or held-out stories: the fields of the source `stories`, whose tasks are the hops of the last question. */
    stories: z.record(z.string(), z.unknown()).optional(),
    /** What of the background is one document. */
    documents: z.string().optional(),
    /** Of composed samples: questions of longer stories are left out. */
    max_facts: count.optional(),
    split: z.enum(SPLITS).default('test'),
    tasks: z.array(z.string()).min(1).default(['qa1', 'qa2', 'qa3', 'qa4', 'qa5']),
    /** Of published samples 0k, 1k, …; of composed ones and stories tokens; of facts alone 0k. */
    lengths: z.array(z.union([count, z.string().min(1)])).min(1),
    /** Of composed samples and stories: shares of the length between which the facts stand, each a condition of its own; default: anywhere. */
    depths: z
      .array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]))
      .min(1)
      .optional(),
    /** Of each task, length and depth; of published ones the last of the file. */
    samples: count.default(100),
    max_new_tokens: count.default(20),
    /** `evaluation` ends with the question, as the paper evaluates; `training` with "Answer:", as it trains. */
    prompt: z.enum(['evaluation', 'training']).default('evaluation'),
    /** Prompts that are continued at once. */
    batch: count.default(8),
    /** Of the composition. */
    data_seed: z.number().int().min(0).default(0),
  })
  .strict()
  .superRefine((given, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { folder, babi, stories, background, depths, lengths, tasks } = given;
    if ([folder, babi, stories].filter((source) => source !== undefined).length !== 1)
      fault('folder', 'give folder, babi or stories, one of them');
    if (stories !== undefined && [background, given.documents, given.max_facts].some((field) => field !== undefined))
      fault('stories', 'stories bring their own background and facts');
    if (stories?.source !== undefined && stories.source !== 'stories')
      fault('stories', `these are of the source "${stories.source}", not stories`);
    if (stories !== undefined && lengths.some((length) => typeof length !== 'number'))
      fault('lengths', 'stories take tokens');
    if (folder !== undefined && (background !== undefined || depths !== undefined))
      fault('folder', 'published samples have their background and depths already');
    const numbers = lengths.every((length) => typeof length === 'number');
    if (babi !== undefined && background !== undefined && !numbers) fault('lengths', 'composed samples take tokens');
    if (babi !== undefined && background === undefined) {
      if (lengths.some((length) => length !== '0k')) fault('lengths', 'facts alone have the length 0k');
      if (depths !== undefined) fault('depths', 'depths need a background');
    }
    if (folder !== undefined && lengths.some((length) => typeof length === 'number'))
      fault('lengths', 'published samples are called 0k, 1k, …');
    const known = stories === undefined ? TASKS : STORY_TASKS;
    for (const task of tasks)
      if (!known.includes(task)) fault('tasks', `there is no task "${task}": tasks are ${known[0]} to ${known.at(-1)}`);
  });
