import { InputError } from '@/lib/input-error';
import type { Axis } from './config';
import type { ArmTraining } from './curves';
import type { Arm } from './plan';

/** What is taken of a part of a grid. */
interface Taken {
  /** Share of validation answers that are right at the end of training, mean over seeds. */
  readonly accuracy: number;
  /** The points at which it is, of axes of which the best is taken. */
  readonly best: readonly string[];
}

/** What comes of an arm that is trained on a grid. */
export interface GridResult extends Taken {
  readonly arm: string;
  readonly label: string;
  /** At every point of the first axis, once the others are taken. */
  readonly points: readonly (Taken & { readonly point: string })[];
}

interface Cell {
  readonly at: Readonly<Record<string, string>>;
  readonly accuracy: number;
}

/** Axes are taken from the last to the first, so that a best may be looked for at each point of a mean. */
function taken(
  cells: readonly Cell[],
  [name, ...inner]: readonly string[],
  axes: Readonly<Record<string, Axis>>,
): Taken {
  if (name === undefined) return { accuracy: cells[0].accuracy, best: [] };
  const points = pointsOf(cells, [name, ...inner], axes);
  if (axes[name].take === 'mean')
    return { accuracy: points.reduce((sum, { accuracy }) => sum + accuracy, 0) / points.length, best: [] };
  const { point, accuracy, best } = points.reduce((top, one) => (one.accuracy > top.accuracy ? one : top));
  return { accuracy, best: [point, ...best] };
}

const pointsOf = (cells: readonly Cell[], [name, ...inner]: readonly string[], axes: Readonly<Record<string, Axis>>) =>
  Object.keys(axes[name].points).map((point) => ({
    point,
    ...taken(
      cells.filter(({ at }) => at[name] === point),
      inner,
      axes,
    ),
  }));

/** All grids of an experiment. @throws InputError where the data of an arm ask for no answers, so that there is nothing to compare */
export function gridResults(
  arms: readonly Arm[],
  training: readonly ArmTraining[],
  axes: Readonly<Record<string, Axis>>,
): GridResult[] {
  const grids = new Map<string, { label: string; names: string[]; cells: Cell[] }>();
  for (const { name, place } of arms) {
    if (!place) continue;
    const right = training.find(({ arm }) => arm === name)?.accuracy.at(-1);
    if (!right)
      throw new InputError(
        `The runs of arm ${name} were asked nothing of validation rows, by which points of a grid are compared: give them data with answers.`,
      );
    const grid = grids.get(place.arm) ?? { label: place.label, names: Object.keys(place.at), cells: [] };
    grid.cells.push({ at: place.at, accuracy: right.mean });
    grids.set(place.arm, grid);
  }
  return [...grids].map(([arm, { label, names, cells }]) => ({
    arm,
    label,
    ...taken(cells, names, axes),
    points: pointsOf(cells, names, axes),
  }));
}
