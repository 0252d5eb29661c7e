'use client';
import { type ReactNode, useMemo } from 'react';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { formatSigned } from '@/lib/figures/numbers';
import type { LayerAxis } from '../charts/layerAxis';
import { hasBranches, type View } from '../data/view';
import { isJobBusy, type Job } from '../state/jobs';
import { SlotHead, ValueRow } from '../ui/parts';
import { Agreement } from './Agreement';
import { CausalGrid } from './CausalGrid';
import { ExactBlock } from './ExactBlock';
import { EstimateWaits, GridWaits, tooLong } from './GridWaits';
import { type GridValues, UNTESTED } from './grid';
import { JobControl } from './JobControl';
import {
  BranchChoice,
  CellTitle,
  cellValues,
  checkedAt,
  HowSwitch,
  NormsChoice,
  NormsNote,
  RowsChoice,
  SignedScale,
  StrongestCells,
  UntestedKey,
  useInspectedCell,
  WindowChoice,
} from './parts';
import { checkedChanges, gridTable, largest, marksOf, type Removals, removalChanges, removalValues } from './results';
import { jobName, ROW_NAMES, useCausal } from './settings';
import { type TestProps, TestSection } from './TestSection';
import { useAsked } from './useAsked';
import type { ExactCells } from './useExactCells';

const NORMS = ['rescale', 'frozen'] as const;
const NOTHING: ReadonlySet<number> = new Set();
const NONE: readonly undefined[] = [];

/** The grids that the settings ask for, estimated or exact, and their jobs. */
export function useRemovals(
  view: View,
  kind: 'knockout' | 'ablate',
  requests: readonly (AnalysisRequestInput | undefined)[],
  read: (job: Job | undefined, k: number) => Removals | undefined,
) {
  const how = useCausal((s) => s.how);
  const names = view.models.map(({ slot }) => jobName(how === 'exact' ? kind : `${kind}-estimate`, slot));
  const asked = useAsked(names, requests);
  const found = useMemo(() => asked.jobs.map(read), [asked.jobs, read]);
  return { ...asked, names, found };
}

/** What of a removal differs from one test to another. */
interface RemovalProps extends TestProps {
  readonly removals: ReturnType<typeof useRemovals>;
  /** What is computed exactly beside estimates. */
  readonly cells:
    | (Omit<ExactCells<'knockout'>, 'found'> & { readonly found: readonly (Removals | undefined)[] })
    | undefined;
  readonly words: {
    /** Knock-out, Ablation */
    readonly name: string;
    /** Knock out, Ablate */
    readonly verb: string;
    /** knocked out, ablated */
    readonly done: string;
    /** What it is of where no branch is chosen; default both branches. */
    readonly whole?: string;
  };
  readonly foil: string;
  readonly controls: ReactNode;
  /** Above the axis before there is a grid. */
  readonly chips?: ReactNode;
  /** Below the grid, or the empty axis. */
  readonly strip?: (axis: LayerAxis, limit: number) => ReactNode;
  /** What has the colours for itself before the grid is there. */
  readonly early?: readonly (GridValues | undefined)[];
  /** In the aside. */
  readonly span?: (layer: number, begun: boolean) => ReactNode;
  readonly more?: ReactNode;
  readonly convention: ReactNode;
}

/** Something is taken out of one layer and token at a time, and the answer read: estimated at once, or row by row. */
export function RemovalTest(props: RemovalProps) {
  const { view, axis, staleMark, measure, removals, cells, words, foil, controls, early = NONE, convention } = props;
  const isEstimate = useCausal((s) => s.how) === 'estimate';
  const chosen = useCausal((s) => s.norms);
  const rows = useCausal((s) => s.rows);
  const cell = useInspectedCell(view);
  const { names, jobs, stale, start, found } = removals;
  const each = useMemo(() => NORMS.map((norms) => found.map((one) => removalChanges(one, norms))), [found]);
  const values = useMemo(() => found.map((one) => removalValues(one, 'rescale')), [found]);
  const frozen = useMemo(() => found.map((one) => removalValues(one, 'frozen')), [found]);
  const norms = isEstimate ? 'rescale' : chosen;
  const changes = each[NORMS.indexOf(norms)];
  const checked = useMemo(() => found.map(checkedChanges), [found]);
  const marks = useMemo(() => marksOf(checked), [checked]);
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const limit = useMemo(() => largest(view, begun ? changes : early), [view, begun, changes, early]);
  const branches = view.models.some(({ model }) => model.blocks.some(hasBranches));
  const versus = foil ? `${view.target.trim()} minus ${foil}` : view.target.trim();
  const row = isEstimate ? 'token' : ROW_NAMES[rows];
  const estimated = isEstimate ? 'estimated ' : '';
  // Spans are cut beside the grid in any case; others have a cell of their own beside estimates.
  const brushes = isEstimate || props.span !== undefined;
  const slots = view.models.map(({ slot }) => slot);
  const change = (of: readonly (Removals | undefined)[], how: (typeof NORMS)[number]) =>
    of.map((one) =>
      one?.tested?.[0] === false ? UNTESTED : formatSigned((how === 'frozen' ? one?.frozen : one)?.change[0]?.[0]),
    );
  return (
    <TestSection
      staleMark={staleMark}
      controls={
        <>
          <HowSwitch />
          {controls}
          {branches && <BranchChoice both={words.whole} />}
          {!isEstimate && <RowsChoice />}
          <WindowChoice view={view} />
          {!isEstimate && <NormsChoice />}
        </>
      }
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`${words.name} of each ${row}${isEstimate ? ', estimated' : ''}, logit of ${versus}`, view, [
                { name: `${estimated}change, logits`, values: each[0] },
                ...(isEstimate ? [] : [{ name: 'change with norms frozen, logits', values: each[1] }]),
                { name: `without it, ${estimated}logits`, values },
              ])
          : undefined
      }
      aside={
        <aside aria-label={`${words.done[0].toUpperCase()}${words.done.slice(1)} cell`}>
          <div className="block">
            <CellTitle view={view} cell={cell} values={each[0][0]} />
            {found.some(Boolean) ? (
              <table className="values">
                <SlotHead slots={slots} />
                <tbody>
                  <ValueRow name={`${estimated}change, logits`} values={cellValues(view, cell, each[0])} />
                  {isEstimate ? (
                    <ValueRow name={`change when ${words.done}`} values={checkedAt(view, cell, checked)} />
                  ) : (
                    <ValueRow name="with norms frozen" values={cellValues(view, cell, each[1])} />
                  )}
                  <ValueRow
                    name={isEstimate ? 'without it, estimated' : 'without it'}
                    values={cellValues(view, cell, norms === 'frozen' ? frozen : values)}
                  />
                  <ValueRow kind="rule" name="unchanged" values={found.map((one) => formatSigned(one?.base))} />
                </tbody>
              </table>
            ) : (
              <p className="note">Not computed yet.</p>
            )}
          </div>
          {isEstimate && cells && (
            <ExactBlock
              view={view}
              done={`${words.done[0].toUpperCase()}${words.done.slice(1)}`}
              cells={cells}
              rows={[
                { name: 'change, logits', values: change(cells.found, 'rescale') },
                { name: 'with norms frozen', values: change(cells.found, 'frozen') },
              ]}
            />
          )}
          {props.span?.(cell.layer, begun)}
          <StrongestCells
            title={`Largest ${isEstimate ? 'estimates' : 'changes'}: layer @position token`}
            view={view}
            values={changes}
          />
          {isEstimate && (
            <Agreement
              view={view}
              checked={checked}
              correlations={found.map((one) => one?.agreement?.[0]?.rank_correlation)}
              of="changes"
            />
          )}
        </aside>
      }
    >
      <JobControl
        verb={isEstimate ? `Estimate every ${words.name.toLowerCase()}` : `${words.verb} every ${row}`}
        names={names}
        jobs={jobs}
        problem={isEstimate ? undefined : tooLong(view, NORMS.length, rows)}
        stale={stale}
        onRun={start}
        legend={
          <>
            {found.some((one) => one?.tested?.includes(false)) && <UntestedKey />}
            <SignedScale
              limit={limit}
              meaning={norms === 'frozen' ? 'change, norms frozen' : `${estimated}change, logits`}
            />
          </>
        }
      />
      <div ref={measure}>
        {axis && !begun && (
          <>
            {props.chips}
            {isEstimate ? (
              <EstimateWaits view={view} axis={axis} done={words.done}>
                {props.strip?.(axis, limit)}
              </EstimateWaits>
            ) : (
              <GridWaits view={view} axis={axis} runs={NORMS.length} rows={rows}>
                {props.strip?.(axis, limit)}
              </GridWaits>
            )}
          </>
        )}
        {axis && begun && (
          <>
            <CausalGrid
              view={view}
              axis={axis}
              values={changes}
              limit={limit}
              marked={NOTHING}
              brushes={brushes}
              checked={isEstimate ? marks : undefined}
              label={`${words.name} of each token: layers by tokens, ${slots.join(' left, ')}${slots.length > 1 ? ' right' : ''}. Arrow keys move, Enter pins${brushes ? ', Shift with the up and down arrows chooses a span' : ''}.`}
            />
            {props.strip?.(axis, limit)}
          </>
        )}
      </div>
      {props.more}
      <p className="convention">
        <b>Change</b> of the logit of {versus} at position {view.position} {convention}{' '}
        {isEstimate ? (
          <>
            Estimated for every cell at once from one backward pass: what is taken out, times the slope of the logit.
            Large changes are underestimated; cells with a corner are {words.done}, and so is what you click.
          </>
        ) : (
          <NormsNote />
        )}
      </p>
    </TestSection>
  );
}
