'use client';
import { memo, useEffect, useMemo } from 'react';
import type { LayerAxis } from '../charts/layerAxis';
import { formatSigned, type Maybe } from '../charts/numbers';
import { displayToken } from '../charts/tokens';
import { isDiff, ownToken, type View } from '../data/view';
import { RowLabel } from '../signal/AxisParts';
import { dropJob, isJobBusy, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { SlotHead, ValueRow } from '../ui/parts';
import { CausalGrid } from './CausalGrid';
import { GridCells } from './GridCells';
import { GridWaits } from './GridWaits';
import { type GridValues, gridLayout } from './grid';
import { JobControl } from './JobControl';
import { BranchChoice, CellTitle, Choice, SignedScale, StrongestCells, useInspectedCell } from './parts';
import { knockoutRequest } from './requests';
import { gridTable, knockoutChanges, knockoutValues, largest, type ResultOf, resultOf } from './results';
import { SpanChips } from './SpanChips';
import { jobName, setCausal, useCausal } from './settings';
import { TestSection } from './TestSection';
import { useAsked } from './useAsked';
import { useFoil } from './usePair';

const QUERIES = [
  { value: 'later', label: 'all later tokens' },
  { value: 'answer', label: 'the read-out' },
] as const;
const READS = [
  { value: 'scan', label: 'in the scan' },
  { value: 'block', label: 'in the whole block' },
] as const;
/** A span is knocked out once the drag has rested for so long. */
const QUIET_MS = 300;
const STRIP = 18;

/** The span's knock-out in each layer by itself and in all layers together. */
interface SpanFound {
  readonly each: readonly (ResultOf<'knockout'> | undefined)[];
  readonly together: readonly (ResultOf<'knockout'> | undefined)[];
}

const inLayer = (found: ResultOf<'knockout'> | undefined, layer: number): Maybe =>
  found?.change[found.layers.findIndex(([first]) => first === layer)]?.[0];

/** Runs the chosen span in every model, a moment after it was chosen. */
function useSpan(view: View, foil: string): SpanFound {
  const span = useCausal((s) => s.span);
  const queries = useCausal((s) => s.queries);
  const reads = useCausal((s) => s.reads);
  const branch = useCausal((s) => s.branch);
  const names = view.models.flatMap(({ slot }) => [jobName('span', slot), jobName('span-all', slot)]);
  const jobs = useJobsOf(names);
  useEffect(() => {
    const jobs = view.models.flatMap((model) =>
      [false, true].map((together) => ({
        name: jobName(together ? 'span-all' : 'span', model.slot),
        request: span
          ? knockoutRequest(view, model, { queries, reads, branch }, foil, { tokens: span, together })
          : undefined,
      })),
    );
    const timer = setTimeout(() => {
      for (const { name, request } of jobs)
        if (!request) dropJob(name);
        else if (!sameRequest(useJobs.getState().jobs[name]?.request, request)) void startJob(name, request, true);
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [view, span, queries, reads, branch, foil]);
  return useMemo(() => {
    const found = jobs.map((job) => resultOf(job, 'knockout'));
    return { each: found.filter((_, k) => k % 2 === 0), together: found.filter((_, k) => k % 2 === 1) };
  }, [jobs]);
}

/** The span's row on the layer axis. */
function SpanStrip({ view, axis, found, limit }: { view: View; axis: LayerAxis; found: SpanFound; limit: number }) {
  const layout = useMemo(
    () => ({ ...gridLayout(axis, 1, view.models.length), top: 0, row: STRIP, height: STRIP }),
    [axis, view.models.length],
  );
  const values = useMemo(
    () =>
      found.each.map((each): GridValues | undefined =>
        each ? (layer) => inLayer(each, layer) ?? undefined : undefined,
      ),
    [found],
  );
  return (
    <div className="figure" style={{ height: STRIP, marginTop: 4 }}>
      <GridCells axis={axis} layout={layout} models={view.models} values={values} limit={limit} />
      <svg className="layer" width={axis.width} height={STRIP} aria-hidden="true">
        <RowLabel y={13} text="span" narrow={axis.narrow} />
      </svg>
    </div>
  );
}

function SpanBlock(props: { view: View; layer: number; found: SpanFound; begun: boolean }) {
  const { view, layer, found, begun } = props;
  const span = useCausal((s) => s.span);
  const word = (k: number) => displayToken(view.tokens[k]?.text ?? '');
  return (
    <div className="block" data-testid="span">
      {span ? (
        <>
          <h3>
            Tokens {span[0]}–{span[1]}{' '}
            <span className="mono">
              {word(span[0])} … {word(span[1])}
            </span>
          </h3>
          <table className="values">
            <SlotHead caption="change, logits" slots={view.models.map(({ slot }) => slot)} />
            <tbody>
              <ValueRow name={`layer ${layer}`} values={found.each.map((each) => formatSigned(inLayer(each, layer)))} />
              <ValueRow
                name="all layers together"
                values={found.together.map((each) => formatSigned(each?.change[0]?.[0]))}
              />
            </tbody>
          </table>
        </>
      ) : (
        <p className="note">
          Drag over {begun ? 'the rows' : 'the tokens'}, or press Shift and an arrow there, to knock out a span of them
          in each layer and in all layers together.
        </p>
      )}
    </div>
  );
}

/** What the answer owes to each read: sources taken out of one layer at a time, or a span out of all of them. */
export const KnockoutTest = memo(function KnockoutTest(props: {
  view: View;
  axis: LayerAxis | undefined;
  staleMark: string;
  /** Takes the element whose width the axis has. */
  measure: (element: HTMLElement | null) => void;
}) {
  const { view, axis, staleMark, measure } = props;
  const queries = useCausal((s) => s.queries);
  const reads = useCausal((s) => s.reads);
  const branch = useCausal((s) => s.branch);
  const foil = useFoil(view);
  const cell = useInspectedCell(view);
  const names = view.models.map(({ slot }) => jobName('knockout', slot));
  const requests = useMemo(
    () => view.models.map((model) => knockoutRequest(view, model, { queries, reads, branch }, foil)),
    [view, queries, reads, branch, foil],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  const found = useMemo(() => jobs.map((job) => resultOf(job, 'knockout')), [jobs]);
  const changes = useMemo(() => found.map(knockoutChanges), [found]);
  const span = useSpan(view, foil);
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const sources = useMemo(() => view.tokens.slice(0, view.position + 1), [view.tokens, view.position]);
  // Before the grid is there, a span has the colours for itself.
  const limit = useMemo(
    () =>
      largest(view, begun ? changes : span.each.map((each) => each && ((layer) => inLayer(each, layer) ?? undefined))),
    [view, begun, changes, span],
  );
  const marked = useMemo(() => new Set<number>(), []);
  const branches = view.models.some(({ model }) => model.blocks.some(isDiff));
  const versus = foil ? `${view.target.trim()} minus ${foil}` : view.target.trim();
  const at = (values: readonly (GridValues | undefined)[]) =>
    view.models.map((model, k) => {
      const own = ownToken(model, cell.position);
      return formatSigned(own === undefined ? undefined : values[k]?.(cell.layer, own));
    });
  const strip = axis && span.each.some(Boolean) && <SpanStrip view={view} axis={axis} found={span} limit={limit} />;
  const controls = (
    <>
      <Choice
        caption="Stop reading it"
        label="Who stops reading"
        value={queries}
        options={QUERIES}
        onChange={(value) => setCausal({ queries: value })}
      />
      <Choice
        caption="Cut"
        label="What is cut"
        value={reads}
        options={READS}
        onChange={(value) => setCausal({ reads: value })}
      />
      {branches && <BranchChoice />}
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`Knock-out of each token, logit of ${versus}`, view, [
                { name: 'change, logits', values: changes },
                { name: 'without it, logits', values: found.map(knockoutValues) },
              ])
          : undefined
      }
      aside={
        <aside aria-label="Knocked-out cell">
          <div className="block">
            <CellTitle view={view} cell={cell} />
            {found.some(Boolean) ? (
              <table className="values">
                <SlotHead slots={view.models.map(({ slot }) => slot)} />
                <tbody>
                  <ValueRow name="change, logits" values={at(changes)} />
                  <ValueRow name="without it" values={at(found.map(knockoutValues))} />
                  <ValueRow kind="rule" name="unchanged" values={found.map((each) => formatSigned(each?.base))} />
                </tbody>
              </table>
            ) : (
              <p className="note">Not computed yet.</p>
            )}
          </div>
          <SpanBlock view={view} layer={cell.layer} found={span} begun={begun} />
          <StrongestCells title="Largest changes: layer, token" view={view} values={changes} />
        </aside>
      }
    >
      <JobControl
        verb="Knock out every token"
        names={names}
        jobs={jobs}
        problem={undefined}
        stale={stale}
        onRun={start}
        legend={<SignedScale limit={limit} meaning="change, logits" />}
      />
      <div ref={measure}>
        {axis && !begun && (
          <>
            <SpanChips tokens={sources} />
            <GridWaits view={view} axis={axis}>
              {strip}
            </GridWaits>
          </>
        )}
        {axis && begun && (
          <>
            <CausalGrid
              view={view}
              axis={axis}
              values={changes}
              limit={limit}
              marked={marked}
              brushes
              label={`Knock-out of each token: layers by tokens, ${view.models.map(({ slot }) => slot).join(' left, ')}${view.models.length > 1 ? ' right' : ''}. Arrow keys move, Enter pins, Shift with the up and down arrows chooses a span.`}
            />
            {strip}
          </>
        )}
      </div>
      <p className="convention">
        <b>Change</b> of the logit of {versus} at position {view.position} when a token is no longer read in one layer:
        negative where it spoke for the answer. Δ, B, C and gates stay as they were computed, so a token still acts
        through them.
      </p>
    </TestSection>
  );
});
