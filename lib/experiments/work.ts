import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '@/lib/input-error';
import {
  evaluationRequest,
  isComplete,
  type JobEngine,
  type KindName,
  type RequestOf,
  type Sweep,
  type SweepStatus,
  sweptModel,
  sweptSource,
} from '@/lib/jobs';
import { defaultWeightFormat } from '@/lib/models';
import type { EvaluationConfig, Experiment } from './config';
import { type Arm, armsOf, wavesOf } from './plan';

/** A sweep of an experiment. */
export interface Part {
  /** `training`, or the name of an evaluation. */
  readonly name: string;
  readonly kind: KindName;
  readonly request: RequestOf<KindName>;
}

/** Brings a sweep to its end; what it throws ends the experiment. */
export type Finish = (sweep: Sweep, part: Part) => Promise<void>;

/** Summaries of all parts of an experiment that is done. */
export interface Findings {
  readonly experiment: Experiment;
  readonly arms: readonly Arm[];
  readonly evaluations: readonly {
    readonly name: string;
    readonly config: EvaluationConfig;
    readonly summary: unknown;
  }[];
  /** Devices that took part. */
  readonly devices: readonly string[];
}

const SEED = 42;

/** What an arm's runs begin with, as its worker will find it; undefined of a fresh model. */
async function beginningOf(config: Readonly<Record<string, unknown>>, root: string): Promise<{ from?: string }> {
  const checkpoint = (config.from as { checkpoint?: string } | undefined)?.checkpoint;
  return checkpoint ? { from: (await sweptModel(checkpoint, root)).fingerprint } : {};
}

async function trainingOf(wave: readonly Arm[], root: string): Promise<Part> {
  const runs = await Promise.all(
    wave.flatMap((arm) =>
      arm.runs.map(async ({ name, folder, config }) => ({
        name,
        folder,
        config,
        ...(await beginningOf(config, root)),
      })),
    ),
  );
  return { name: 'training', kind: 'train', request: { runs } };
}

async function evaluationOf(
  name: string,
  config: EvaluationConfig,
  { resamples }: Experiment,
  arms: readonly Arm[],
  root: string,
): Promise<Part> {
  const names = arms.map(({ runs, model }) => (model ? [model] : runs.map(({ folder }) => folder)));
  const common = { weights: defaultWeightFormat(), resamples, seed: SEED };
  if (config.kind === 'eval') {
    const asked = arms.map(({ label }, k) => ({ label, models: names[k] }));
    const request = await evaluationRequest(config.evaluation, config.settings, asked, root);
    return { name, kind: 'eval', request: { ...request, ...common } };
  }
  const models = await Promise.all(names.map((group) => Promise.all(group.map((one) => sweptModel(one, root)))));
  const { kind, examples, title: _title, ...rest } = config;
  const sources = await Promise.all(examples.map((one) => sweptSource(one, SEED)));
  return { name, kind, request: { models, sources, ...common, ...rest } };
}

/** All parts in their order; the next is known when the one before is done. @param root holds `models/` */
async function* partsOf(experiment: Experiment, arms: readonly Arm[], root: string): AsyncGenerator<Part> {
  for (const wave of wavesOf(arms)) yield trainingOf(wave, root);
  for (const [name, config] of experiment.evaluations) yield evaluationOf(name, config, experiment, arms, root);
}

/** Runs all of an experiment that has no result yet, and gathers what it came to. */
export async function runExperiment(
  engine: JobEngine,
  experiment: Experiment,
  root: string,
  finish: Finish,
): Promise<Findings> {
  const arms = armsOf(experiment);
  const evaluations: Findings['evaluations'][number][] = [];
  const devices = new Set<string>();
  for await (const part of partsOf(experiment, arms, root)) {
    const sweep = await engine.submit(part.kind, part.request);
    if (part.kind === 'train') await redoLost(engine, sweep as Sweep<'train'>);
    await finish(sweep, part);
    for (const { worker } of await engine.workers(sweep.id)) devices.add(worker.split(' ')[1]);
    const config = experiment.evaluations.get(part.name);
    if (config && part.kind !== 'train')
      evaluations.push({ name: part.name, config, summary: await engine.summary(sweep) });
  }
  return { experiment, arms, evaluations, devices: [...devices].sort() };
}

/** Runs whose folder somebody has removed are trained again: what they made there is what the evaluations read. */
async function redoLost(engine: JobEngine, sweep: Sweep<'train'>): Promise<void> {
  const lost = sweep.request.runs.flatMap(({ folder }, item) =>
    existsSync(join(folder, 'config.json')) ? [] : [item],
  );
  if (lost.length > 0) await engine.redo(sweep.id, lost);
}

/** How far a part is; undefined where it has not begun, as have none after it. */
export interface PartStatus {
  readonly name: string;
  readonly kind: KindName;
  readonly status?: SweepStatus;
}

/** How far an experiment is. Changes nothing. */
export async function experimentStatus(engine: JobEngine, experiment: Experiment, root: string): Promise<PartStatus[]> {
  const arms = armsOf(experiment);
  const found: PartStatus[] = [];
  for await (const { name, kind, request } of partsOf(experiment, arms, root)) {
    const sweep = await engine.find(kind, request as never);
    const status = sweep && (await engine.status(sweep.id));
    found.push({ name, kind, status });
    if (!status || !isComplete(status)) break;
  }
  for (const name of experiment.evaluations.keys())
    if (!found.some((part) => part.name === name))
      found.push({ name, kind: (experiment.evaluations.get(name) as EvaluationConfig).kind });
  return found;
}

/** Gathers what an experiment came to that is done. @throws InputError naming what lacks */
export async function findingsOf(engine: JobEngine, experiment: Experiment, root: string): Promise<Findings> {
  const parts = await experimentStatus(engine, experiment, root);
  const open = parts.find(({ status }) => !status || status.done < status.items);
  if (open)
    throw new InputError(
      `The experiment ${experiment.name} is not finished at scale ${experiment.scale}: ${open.name} has ${open.status?.done ?? 0} of ${open.status?.items ?? 'its'} items. "statescope experiment run ${experiment.name} --scale ${experiment.scale}" goes on.`,
    );
  return runExperiment(engine, experiment, root, async () => undefined);
}
