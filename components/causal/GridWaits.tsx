import type { ReactNode } from 'react';
import { formatCount } from '@/lib/figures/numbers';
import { formatForecast } from '@/lib/vocabulary';
import type { LayerAxis } from '../charts/layerAxis';
import type { View } from '../data/view';
import { AxisTicks, RowLabel } from '../ui/AxisParts';

const HEIGHT = 22;

interface Cost {
  readonly cells: number;
  /** Forward passes that are as much work as all cells. */
  readonly passes: number;
  /** At most, by what the forward passes of the run took: cells of a layer share a batch. Undefined where it was not measured. */
  readonly seconds: number | undefined;
}

/** What a grid of layers by tokens will take. @param runs of every cell */
export function gridCost({ models }: Pick<View, 'models'>, runs = 1): Cost {
  const cells = models.map(({ layers, position }) => layers * (position + 1));
  // A cell of layer l computes the layers after it: half of them on average.
  const passes = cells.map((count) => (runs * count) / 2);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const each = models.map(({ model }) => model.forwardMs ?? Number.NaN);
  const seconds = sum(passes.map((count, k) => (count * each[k]) / 1000));
  return { cells: sum(cells), passes: Math.ceil(sum(passes)), seconds: Number.isFinite(seconds) ? seconds : undefined };
}

/** In place of a grid that was not asked for yet: the layers it will stand on and what it costs. */
export function GridWaits(props: {
  view: View;
  axis: LayerAxis;
  /** Of every cell; default 1. */
  runs?: number;
  /** Below the axis: what is known already. */
  children?: ReactNode;
}) {
  const { view, axis, runs, children } = props;
  const { cells, passes, seconds } = gridCost(view, runs);
  const sides = view.models.map(({ slot }, k) => `${slot} ${k === 0 ? 'left' : 'right'}`).join(', ');
  return (
    <div data-testid="causal-waiting">
      <div className="figure" style={{ height: HEIGHT }}>
        <svg className="layer" width={axis.width} height={HEIGHT} aria-hidden="true">
          <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} />
          <RowLabel y={14} text="token" narrow={axis.narrow} />
        </svg>
      </div>
      {children}
      <p className="note grid-waits">
        One row for each of the tokens 0–{view.position}
        {view.models.length > 1 && `, ${sides} in each layer`}: {formatCount(cells)} cells, about the work of{' '}
        {formatCount(passes)} forward passes of this prompt
        {seconds !== undefined && `, at most ${formatForecast(seconds)} at the pace of this run`}. Layers appear as they
        are finished.
      </p>
    </div>
  );
}
