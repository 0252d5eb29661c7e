import type { LayerAxis } from '../charts/layerAxis';
import { formatCount } from '../charts/numbers';
import type { View } from '../data/view';
import { AxisTicks, RowLabel } from '../signal/AxisParts';

const HEIGHT = 22;

/** What a grid of layers by tokens will take: its cells, and the forward passes that are as much work as all of them. */
export function gridCost({ models }: Pick<View, 'models'>): { readonly cells: number; readonly passes: number } {
  const cells = models.map(({ layers, position }) => layers * (position + 1));
  // A cell of layer l computes the layers after it: half of them on average.
  const passes = cells.map((count) => count / 2);
  const sum = (values: readonly number[]) => Math.ceil(values.reduce((a, b) => a + b, 0));
  return { cells: sum(cells), passes: sum(passes) };
}

/** In place of a grid that was not asked for yet: the layers it will stand on and what it costs. */
export function GridWaits({ view, axis }: { view: View; axis: LayerAxis }) {
  const { cells, passes } = gridCost(view);
  const sides = view.models.map(({ slot }, k) => `${slot} ${k === 0 ? 'left' : 'right'}`).join(', ');
  return (
    <div data-testid="causal-waiting">
      <div className="figure" style={{ height: HEIGHT }}>
        <svg className="layer" width={axis.width} height={HEIGHT} aria-hidden="true">
          <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} />
          <RowLabel y={14} text="token" narrow={axis.narrow} />
        </svg>
      </div>
      <p className="note grid-waits">
        One row for each of the tokens 0–{view.position}
        {view.models.length > 1 && `, ${sides} in each layer`}: {formatCount(cells)} cells, about the work of{' '}
        {formatCount(passes)} forward passes of this prompt. Layers appear as they are finished.
      </p>
    </div>
  );
}
