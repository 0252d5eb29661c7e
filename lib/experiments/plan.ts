import { join } from 'node:path';
import { InputError } from '@/lib/input-error';
import { parseTrainingConfig } from '@/lib/training';
import { type Experiment, type GridPlace, overlaid } from './config';

/** A training run of an arm. */
export interface Run {
  /** `arm-seed`, which is also its folder. */
  readonly name: string;
  readonly seed: number;
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Arm {
  readonly name: string;
  readonly label: string;
  /** How many parameters it must have. */
  readonly parameters?: number;
  /** Its runs, one a seed; none where the model is there. */
  readonly runs: readonly Run[];
  /** A model that is there. */
  readonly model?: string;
  /** The arm whose runs its own begin with. */
  readonly after?: string;
  /** The arm that it is compared with, where it is not the first. */
  readonly against?: string;
  /** Of one on a grid. */
  readonly place?: GridPlace;
}

/** Where an experiment at a scale leaves all it makes. */
export const resultsFolder = ({ folder, scale }: Pick<Experiment, 'folder' | 'scale'>): string => join(folder, scale);

const FROM_ARM = /^arm:(.+)$/;

/** All runs of an experiment. @throws InputError where a training configuration cannot be used */
export function armsOf(experiment: Experiment): Arm[] {
  const armNames = new Set([...experiment.arms].map(([name, { place }]) => place?.arm ?? name));
  return [...experiment.arms].map(([name, { label = name, training, model, parameters, against, place }]): Arm => {
    if (against !== undefined && !armNames.has(against))
      throw new InputError(`Arm ${name} is to be compared with arm "${against}", which there is not.`);
    if (!training) return { name, label, parameters, runs: [], model, against };
    const from = (training.from as { checkpoint?: unknown } | undefined)?.checkpoint;
    const after = typeof from === 'string' ? FROM_ARM.exec(from)?.[1] : undefined;
    if (after !== undefined && !experiment.arms.get(after)?.training)
      throw new InputError(`Arm ${name} begins with arm "${after}", which is none that is trained.`);
    const runs = experiment.seeds.map((seed): Run => {
      const own = after === undefined ? {} : { from: { checkpoint: runFolder(experiment, after, seed) } };
      const config = overlaid(overlaid({ name: `${name}-${seed}`, seed }, training), { ...own, seed });
      try {
        parseTrainingConfig(config);
      } catch (error) {
        throw new InputError(`Arm ${name}: ${(error as Error).message}`);
      }
      return { name: `${name}-${seed}`, seed, folder: runFolder(experiment, name, seed), config };
    });
    return { name, label, parameters, runs, after, against, place };
  });
}

const runFolder = (experiment: Experiment, arm: string, seed: number): string =>
  join(resultsFolder(experiment), 'runs', `${arm}-${seed}`);

/** Arms that are trained, in waves: each begins with what earlier ones have made. @throws InputError where they go in circles */
export function wavesOf(arms: readonly Arm[]): Arm[][] {
  const waves: Arm[][] = [];
  let left = arms.filter(({ runs }) => runs.length > 0);
  while (left.length > 0) {
    const ready = left.filter(({ after }) => !left.some(({ name }) => name === after));
    if (ready.length === 0)
      throw new InputError(
        `Arms ${left.map(({ name }) => name).join(', ')} begin with each other: one must come first.`,
      );
    waves.push(ready);
    left = left.filter((arm) => !ready.includes(arm));
  }
  return waves;
}
