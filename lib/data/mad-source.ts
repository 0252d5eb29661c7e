import { z } from 'zod';
import { InputError } from '@/lib/input-error';
import { IGNORED, MAD_BASELINES, MAD_FIELDS, MAD_TASKS, type MadSettings, madFault, madSequence } from './mad';
import { NumpyGenerator } from './numpy-random';
import { rowAt } from './order';
import { type AnswerSpan, type DataSource, type Row, SPLITS, type Split } from './source';
import { contentHash, OF_GENERATED, splitByHash } from './splits';

const count = z.int().min(1);

export const madSourceSchema = z.strictObject({
  task: z.enum(MAD_TASKS),
  seed: z.int().min(0).default(12345),
  /** Training rows, after which the same come again in another order; without end if left out. */
  examples: count.optional(),
  /** What is left out is as in the baseline of the task; what the task does not read is refused. */
  vocabulary: count.optional(),
  length: count.optional(),
  multi_query: z.boolean().optional(),
  noise: z.number().min(0).lt(1).optional(),
  noise_vocabulary: z.int().min(0).optional(),
  motif: count.optional(),
  copied: count.optional(),
  map_seed: z.int().min(0).optional(),
});

type MadSource = z.infer<typeof madSourceSchema>;

/** What a field of the configuration is called in the settings. */
const SETTINGS = {
  vocabulary: 'vocabulary',
  length: 'length',
  multi_query: 'multiQuery',
  noise: 'noise',
  noise_vocabulary: 'noiseVocabulary',
  motif: 'motif',
  copied: 'copied',
  map_seed: 'mapSeed',
} as const satisfies Record<string, keyof MadSettings>;

/** @throws InputError for a field that the task does not read, and for numbers that it cannot be drawn with */
function settingsOf(options: MadSource): MadSettings {
  const { task } = options;
  const read: readonly string[] = ['vocabulary', 'length', ...MAD_FIELDS[task]];
  const given = Object.entries(SETTINGS).filter(([field]) => options[field as keyof typeof SETTINGS] !== undefined);
  const unread = given.find(([, name]) => !read.includes(name));
  if (unread) throw new InputError(`MAD's ${task} does not read "${unread[0]}": leave it out.`);
  const changes = given.map(([field, name]) => [name, options[field as keyof typeof SETTINGS]]);
  const settings: MadSettings = { ...MAD_BASELINES[task], ...Object.fromEntries(changes) };
  const fault = madFault(task, settings);
  if (fault) throw new InputError(`MAD's ${task} cannot be drawn: ${fault}.`);
  return settings;
}

/** Neighbouring answers are one span. */
function spansOf(asked: readonly number[], label: string): AnswerSpan[] {
  const spans: { start: number; end: number; label: string }[] = [];
  asked.forEach((token, t) => {
    if (token === IGNORED) return;
    const last = spans.at(-1);
    if (last?.end === t) last.end = t + 1;
    else spans.push({ start: t, end: t + 1, label });
  });
  return spans;
}

/**
 * MAD's tasks as rows. A row is drawn by a generator of its own, made of seed, split and index, and belongs to its split by a
 * hash of its tokens. Compression, which MAD reads out of one position by a decoder of its own, is to be said again by the model
 * itself: the tokens, the sign, the tokens.
 */
export function madSource(options: MadSource): DataSource {
  const { task, seed, examples } = options;
  const settings = settingsOf(options);

  function sequence(split: Split, index: number) {
    const random = new NumpyGenerator([seed, SPLITS.indexOf(split), index]);
    for (;;) {
      const drawn = madSequence(task, settings, { random, places: random, training: split === 'train' });
      if (splitByHash(contentHash(drawn.tokens), OF_GENERATED) === split) return drawn;
    }
  }

  return {
    card: {
      name: `mad ${task}`,
      source: `generated: ${task} of MAD (Poli et al. 2024), ${JSON.stringify(settings)}, seed ${seed}`,
      licence: 'none needed',
      sizes: examples ? { train: { rows: examples, tokens: examples * settings.length } } : {},
      sha256: null,
    },
    vocabularySize: settings.vocabulary,
    row(split, index): Row {
      const at = split === 'train' && examples ? rowAt(index, examples, seed) : index;
      const { tokens, asked, isNext } = sequence(split, at);
      if (task === 'compression') {
        const again = tokens.slice(0, -1);
        const all = Int32Array.from([...tokens, ...again]);
        return { tokens: all, answers: [{ start: tokens.length, end: all.length, label: task }] };
      }
      return {
        tokens: Int32Array.from(tokens),
        ...(!isNext && { targets: Int32Array.from(asked, (token) => (token === IGNORED ? -1 : token)) }),
        answers: spansOf(asked, task),
      };
    },
  };
}
