import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { EVALUATION_NAMES } from '@/lib/evaluation';
import { InputError } from '@/lib/input-error';
import { RESAMPLES, SIGNAL_METRICS } from '@/lib/vocabulary';

export const SCALES = ['smoke', 'here', 'paper'] as const;
export type Scale = (typeof SCALES)[number];

const json = z.record(z.string(), z.unknown());

/** What is compared: a model that is trained once a seed, or one that is there. */
const armSchema = z
  .strictObject({
    /** What figures and tables call it. */
    label: z.string().min(1).optional(),
    /** Laid over the training of the experiment: what `statescope train` reads. `from.checkpoint: "arm:NAME"` begins with what another arm's run of the same seed has made. */
    training: json.optional(),
    /** A model that `statescope models` lists, or a folder. */
    model: z.string().min(1).optional(),
    /** How many parameters the arm must have. */
    parameters: z.number().int().positive().optional(),
  })
  .refine(
    ({ training, model }) => (training === undefined) !== (model === undefined),
    'give training or model, one of both',
  );

/** What the report calls it. */
const title = z.string().min(1).optional();

const evaluationSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('snr'),
    title,
    /** As `--examples` takes them: one a length or task. */
    examples: z.array(z.string().min(1)).min(1),
    metrics: z.array(z.enum(SIGNAL_METRICS)).min(1).optional(),
  }),
  z.strictObject({
    kind: z.literal('allocation'),
    title,
    examples: z.array(z.string().min(1)).min(1),
    layers: z.array(z.number().int().nonnegative()).min(1).optional(),
  }),
  z.strictObject({
    kind: z.literal('eval'),
    title,
    /** Which of `statescope eval`, and its settings. */
    evaluation: z.enum(EVALUATION_NAMES),
    settings: json,
  }),
]);

const scaleSchema = z.strictObject({
  /** Of training; every arm that is trained has a run of each. */
  seeds: z.array(z.number().int()).min(1),
  training: json.optional(),
  /** Laid over arms, by name. */
  arms: z.record(z.string(), json).optional(),
  /** Laid over evaluations, by name; null leaves one out. */
  evaluations: z.record(z.string(), json.nullable()).optional(),
});

const experimentSchema = z.strictObject({
  title: z.string().min(1),
  /** What it is to find out, in sentences for people. */
  question: z.string().min(1),
  /** What all arms share of the training. */
  training: json.default({}),
  arms: z.record(z.string().regex(/^[\w-]+$/, 'names have letters, digits, _ and -'), json),
  evaluations: z.record(z.string().regex(/^[\w-]+$/, 'names have letters, digits, _ and -'), json).default({}),
  resamples: z.number().int().positive().default(RESAMPLES),
  scales: z.partialRecord(z.enum(SCALES), scaleSchema),
});

export type ArmConfig = z.infer<typeof armSchema>;
export type EvaluationConfig = z.infer<typeof evaluationSchema>;

/** An experiment at one scale, with all that is laid over. */
export interface Experiment {
  readonly name: string;
  /** The folder of experiment.json. */
  readonly folder: string;
  readonly title: string;
  readonly question: string;
  readonly scale: Scale;
  readonly seeds: readonly number[];
  readonly resamples: number;
  readonly arms: ReadonlyMap<string, ArmConfig>;
  readonly evaluations: ReadonlyMap<string, EvaluationConfig>;
}

/** The folder that a name or a path means. @throws InputError where it holds no experiment */
export function experimentFolder(name: string, root: string): string {
  const folders = [join(root, 'experiments', name), resolve(name)];
  const found = folders.find((folder) => existsSync(join(folder, 'experiment.json')));
  if (found) return found;
  throw new InputError(
    `There is no experiment "${name}": neither ${folders[0]} nor ${folders[1]} has an experiment.json.`,
  );
}

/** @throws InputError: one sentence that names the first field that cannot be used */
export async function readExperiment(folder: string, scale: Scale): Promise<Experiment> {
  const path = join(folder, 'experiment.json');
  let given: unknown;
  try {
    given = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new InputError(`${path} cannot be read as JSON (${(error as Error).message}).`);
  }
  const fields = parsed(experimentSchema, placed(given, folder), path);
  const own = fields.scales[scale];
  if (!own) throw new InputError(`${path} has no scale "${scale}": it has ${Object.keys(fields.scales).join(', ')}.`);
  requireKnown(own.arms, fields.arms, `${path}: scales.${scale}.arms`);
  requireKnown(own.evaluations, fields.evaluations, `${path}: scales.${scale}.evaluations`);
  const arms = Object.entries(fields.arms).map(([name, arm]) => {
    const shared = arm.model === undefined ? { training: overlaid(fields.training, own.training ?? {}) } : {};
    const whole = overlaid(overlaid(shared, arm), own.arms?.[name] ?? {});
    return [name, parsed(armSchema, whole, `${path}: arms.${name}`)] as const;
  });
  const evaluations = Object.entries(fields.evaluations).flatMap(([name, evaluation]) => {
    const over = own.evaluations?.[name];
    if (over === null) return [];
    const whole = overlaid(evaluation, over ?? {});
    return [[name, parsed(evaluationSchema, whole, `${path}: evaluations.${name}`)] as const];
  });
  if (arms.length === 0) throw new InputError(`${path} has no arms: name at least one model.`);
  const { title, question, resamples } = fields;
  return {
    ...{ name: basename(folder), folder, title, question, scale, seeds: own.seeds, resamples },
    ...{ arms: new Map(arms), evaluations: new Map(evaluations) },
  };
}

function parsed<S extends z.ZodType>(schema: S, given: unknown, where: string): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new InputError(`${where}${path.length > 0 ? `.${path.join('.')}` : ''}: ${message}.`);
}

function requireKnown(over: object | undefined, known: object, where: string): void {
  const stray = Object.keys(over ?? {}).find((name) => !(name in known));
  if (stray)
    throw new InputError(`${where} names "${stray}", which there is not: it has ${Object.keys(known).join(', ')}.`);
}

/** Paths that begin with ./ are beside the file. */
const placed = (value: unknown, folder: string): unknown =>
  JSON.parse(JSON.stringify(value), (_key, part) =>
    typeof part === 'string' && part.startsWith('./') ? join(folder, part) : part,
  );

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One JSON over another: objects field by field, anything else whole. */
export function overlaid(below: Json, above: Json): Record<string, unknown> {
  const result: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = result[key];
    result[key] = isObject(value) ? overlaid(isObject(under) ? under : {}, value) : value;
  }
  return result;
}
