import type { AnalysisResult } from '@/lib/api/causal';
import type { View } from '../data/view';
import { SlotHead, ValueRow } from '../ui/parts';
import type { ExactCells } from './useExactCells';

/** What was computed exactly beside the estimates. */
export function ExactBlock(props: {
  view: View;
  /** What was done, as a heading begins. */
  done: string;
  cells: Omit<ExactCells<AnalysisResult['kind']>, 'found'>;
  rows: readonly { readonly name: string; readonly values: readonly string[] }[];
}) {
  const { view, done, cells, rows } = props;
  const [first, last] = cells.tokens;
  return (
    <div className="block" data-testid="exact-cell" aria-busy={cells.isBusy}>
      <h3>
        {done}: layer {cells.layer}, {first === last ? `token ${first}` : `tokens ${first}–${last} together`}
      </h3>
      <table className="values">
        <SlotHead slots={view.models.map(({ slot }) => slot)} />
        <tbody>
          {rows.map(({ name, values }) => (
            <ValueRow key={name} name={name} values={values} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
