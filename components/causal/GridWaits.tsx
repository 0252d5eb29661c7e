import type { ReactNode } from 'react';
import { formatCount } from '@/lib/figures/numbers';
import { formatForecast, sentenceSpans } from '@/lib/vocabulary';
import type { LayerAxis } from '../charts/layerAxis';
import type { ModelView, View } from '../data/view';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { type CausalSettings, ROW_NAMES } from './settings';

const HEIGHT = 22;

interface Cost {
  readonly cells: number;
  /** Forward passes that are as much work as all cells. */
  readonly passes: number;
  /** At most, by what the forward passes of the run took: cells of a layer share a batch. Undefined where it was not measured. */
  readonly seconds: number | undefined;
}

/** What a grid of layers by tokens will take. @param runs of every cell */
export function gridCost(
  { models }: { readonly models: readonly Pick<ModelView, 'layers' | 'position' | 'tokens' | 'model' | 'classes'>[] },
  runs = 1,
  rows: CausalSettings['rows'] = 'tokens',
): Cost {
  const cells = models.map((model) => {
    const own =
      rows === 'sentences'
        ? sentenceSpans(model).length
        : rows === 'classes'
          ? new Set(model.classes).size
          : model.position + 1;
    return model.layers * own;
  });
  // A cell of layer l computes the layers after it: half of them on average.
  const passes = cells.map((count) => (runs * count) / 2);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const each = models.map(({ model }) => model.forwardMs ?? Number.NaN);
  const seconds = sum(passes.map((count, k) => (count * each[k]) / 1000));
  return { cells: sum(cells), passes: Math.ceil(sum(passes)), seconds: Number.isFinite(seconds) ? seconds : undefined };
}

/** What would take longer than a day is not begun. */
const MOST_SECONDS = 86_400;

/** Why an exact test is not begun; undefined where it ends in time, or nobody knows. */
export function tooLong(view: View, runs: number, rows: CausalSettings['rows']): string | undefined {
  const { seconds } = gridCost(view, runs, rows);
  if (seconds === undefined || seconds <= MOST_SECONDS) return undefined;
  const less = rows === 'tokens' ? 'take sentences as rows' : 'shorten the prompt';
  return `At the pace of this run that would take more than a day: ${less}, or estimate first.`;
}

/** What an estimate runs of each model: its prompts, and every block once more and back. */
const ESTIMATE_PASSES = 4;

/** In place of estimates that were not asked for yet. */
export function EstimateWaits(props: {
  view: View;
  axis: LayerAxis;
  /** What is done with the strongest cells. */
  done: string;
  /** Below the axis: what is known already. */
  children?: ReactNode;
}) {
  const { view, axis, done, children } = props;
  const each = view.models.map(({ model }) => model.forwardMs ?? Number.NaN);
  const seconds = each.reduce((sum, ms) => sum + (ESTIMATE_PASSES * ms) / 1000, 0);
  return (
    <div data-testid="causal-waiting">
      <EmptyAxis view={view} axis={axis} />
      {children}
      <p className="note grid-waits">
        Every layer and token at once, from about {ESTIMATE_PASSES} forward passes of each model
        {Number.isFinite(seconds) && `, ${formatForecast(seconds)} at the pace of this run`}; then the strongest cells
        are {done} to see how far the estimates hold.
      </p>
    </div>
  );
}

function EmptyAxis({ view, axis }: { readonly view: View; readonly axis: LayerAxis }) {
  return (
    <div className="figure" style={{ height: HEIGHT }}>
      <svg className="layer" width={axis.width} height={HEIGHT} aria-hidden="true">
        <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} ends={false} />
        <RowLabel y={14} text="token" narrow={axis.narrow} />
      </svg>
    </div>
  );
}

/** In place of a grid that was not asked for yet: the layers it will stand on and what it costs. */
export function GridWaits(props: {
  view: View;
  axis: LayerAxis;
  /** Of every cell; default 1. */
  runs?: number;
  rows: CausalSettings['rows'];
  /** Below the axis: what is known already. */
  children?: ReactNode;
}) {
  const { view, axis, runs = 1, rows, children } = props;
  const { cells, passes, seconds } = gridCost(view, runs, rows);
  const refused = tooLong(view, runs, rows);
  const sides = view.models.map(({ slot }, k) => `${slot} ${k === 0 ? 'left' : 'right'}`).join(', ');
  return (
    <div data-testid="causal-waiting">
      <EmptyAxis view={view} axis={axis} />
      {children}
      <p className="note grid-waits">
        {rows === 'tokens'
          ? `One row for each of the tokens 0–${view.position}`
          : `One row for each ${ROW_NAMES[rows]}`}
        {view.models.length > 1 && `, ${sides} in each layer`}: {formatCount(cells)} cells, about the work of{' '}
        {formatCount(passes)} forward passes of this prompt
        {seconds !== undefined && !refused && `, at most ${formatForecast(seconds)} at the pace of this run`}.{' '}
        {refused ?? 'Layers appear as they are finished.'}
      </p>
    </div>
  );
}
