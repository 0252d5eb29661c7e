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

const NAME = /^[\w-]+$/;
const NAME_RULE = 'names have letters, digits, _ and -';

/** What the report takes over the points of an axis: the best, as of learning rates, or the mean, as of settings of one task. */
const axisSchema = z.strictObject({
  take: z.enum(['best', 'mean']),
  /** By name: what each lays over an arm. */
  points: z
    .record(z.string().regex(NAME, NAME_RULE), json)
    .refine((points) => Object.keys(points).length > 1, 'give at least two points'),
});

/** What is compared: a model that is trained once a seed, or one that is there. */
const armSchema = z
  .strictObject({
    /** What figures and tables call it. */
    label: z.string().min(1).optional(),
    /** Laid over the training of the experiment: what `statescope train` reads. `from.checkpoint: "arm:NAME"` begins with what another arm's run of the same seed has made. */
    training: json.optional(),
    /** A model that `statescope models` lists, or a folder. */
    model: z.string().min(1).optional(),
    /** The arm that the report compares it with; the first, unless told otherwise. */
    against: z.string().min(1).optional(),
    /** How many parameters the arm must have. */
    parameters: z.number().int().positive().optional(),
    /** It is trained at every combination of points of these, named ARM-POINT-POINT. */
    axes: z
      .array(z.string())
      .min(1)
      .refine((axes) => new Set(axes).size === axes.length, 'name each axis once')
      .optional(),
  })
  .refine(
    ({ training, model }) => (training === undefined) !== (model === undefined),
    'give training or model, one of both',
  )
  .refine(({ model, axes }) => !(model && axes), 'axes are of arms that are trained');

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
  /** Laid over arms, by name; null leaves one out. */
  arms: z.record(z.string(), json.nullable()).optional(),
  /** Laid over evaluations, by name; null leaves one out. */
  evaluations: z.record(z.string(), json.nullable()).optional(),
});

const experimentSchema = z.strictObject({
  title: z.string().min(1),
  /** What it is to find out, in sentences for people. */
  question: z.string().min(1),
  /** What all arms share of the training. */
  training: json.default({}),
  axes: z.record(z.string().regex(NAME, NAME_RULE), axisSchema).default({}),
  arms: z.record(z.string().regex(NAME, NAME_RULE), json),
  evaluations: z.record(z.string().regex(NAME, NAME_RULE), json).default({}),
  resamples: z.number().int().positive().default(RESAMPLES),
  scales: z.partialRecord(z.enum(SCALES), scaleSchema),
});

/** Where on the grid of an arm one of its trainings is. */
export interface GridPlace {
  /** The arm as the file has it. */
  readonly arm: string;
  readonly label: string;
  /** Point by axis, in the order of the arm's axes. */
  readonly at: Readonly<Record<string, string>>;
}

export type Axis = z.infer<typeof axisSchema>;
export type ArmConfig = Omit<z.infer<typeof armSchema>, 'axes'> & { readonly place?: GridPlace };
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
  readonly axes: Readonly<Record<string, Axis>>;
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
  const arms = Object.entries(fields.arms).flatMap(([name, arm]) => {
    const shared = arm.model === undefined ? { training: overlaid(fields.training, own.training ?? {}) } : {};
    const over = own.arms?.[name];
    if (over === null) return [];
    const whole = overlaid(overlaid(shared, arm), over ?? {});
    return alongAxes(name, whole, fields.axes, path);
  });
  const evaluations = Object.entries(fields.evaluations).flatMap(([name, evaluation]) => {
    const over = own.evaluations?.[name];
    if (over === null) return [];
    const whole = overlaid(evaluation, over ?? {});
    return [[name, parsed(evaluationSchema, whole, `${path}: evaluations.${name}`)] as const];
  });
  if (arms.length === 0) throw new InputError(`${path} has no arms: name at least one model.`);
  const twice = arms.find(([name], k) => arms.findIndex(([other]) => other === name) < k);
  if (twice)
    throw new InputError(`${path}: two arms come to be called "${twice[0]}": name an arm or a point otherwise.`);
  const { title, question, resamples, axes } = fields;
  return {
    ...{ name: basename(folder), folder, title, question, scale, seeds: own.seeds, resamples, axes },
    ...{ arms: new Map(arms), evaluations: new Map(evaluations) },
  };
}

/** An arm at every combination of the points of its axes; itself where it has none. */
function alongAxes(
  name: string,
  given: Json,
  known: Readonly<Record<string, Axis>>,
  path: string,
): (readonly [string, ArmConfig])[] {
  const where = `${path}: arms.${name}`;
  const { axes, ...arm } = parsed(armSchema, given, where);
  if (!axes) return [[name, arm]];
  requireKnown(Object.fromEntries(axes.map((axis) => [axis, null])), known, `${where}.axes`);
  const { axes: _axes, ...whole } = given;
  let grid: { over: Json; at: Record<string, string> }[] = [{ over: whole, at: {} }];
  for (const axis of axes)
    grid = grid.flatMap(({ over, at }) =>
      Object.entries(known[axis].points).map(([point, above]) => ({
        over: overlaid(over, above),
        at: { ...at, [axis]: point },
      })),
    );
  const { label = name } = arm;
  return grid.map(({ over, at }) => {
    const points = Object.values(at);
    const own = parsed(
      armSchema,
      { ...over, label: [label, ...points].join(', ') },
      `${where} at ${points.join(', ')}`,
    );
    return [[name, ...points].join('-'), { ...own, place: { arm: name, label, at } }];
  });
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
