'use client';
import { memo, useMemo } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import { hasBranches } from '../data/view';
import { isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SlotHead, ValueRow } from '../ui/parts';
import { CausalGrid } from './CausalGrid';
import { GridWaits, tooLong } from './GridWaits';
import { JobControl } from './JobControl';
import { SpanBlock, SpanStrip, spanValues, useSpan } from './KnockoutSpan';
import { OverExamples } from './OverExamples';
import {
  BranchChoice,
  CellTitle,
  cellValues,
  NormsChoice,
  NormsNote,
  RowsChoice,
  SignedScale,
  StrongestCells,
  UntestedKey,
  useInspectedCell,
  WindowChoice,
} from './parts';
import { knockoutRequest } from './requests';
import { gridTable, knockoutChanges, knockoutValues, largest, resultOf } from './results';
import { SpanChips } from './SpanChips';
import { jobName, ROW_NAMES, setCausal, useCausal } from './settings';
import { type TestProps, TestSection } from './TestSection';
import { useAsked } from './useAsked';
import { useFoil } from './usePair';

const QUERIES = [
  { value: 'later', label: 'all later tokens' },
  { value: 'answer', label: 'the read-out' },
] as const;
const NORMS = ['rescale', 'frozen'] as const;
const READS = [
  { value: 'scan', label: 'in the scan' },
  { value: 'block', label: 'in the whole block' },
] as const;
/** What the answer owes to each read: sources taken out of one layer at a time, or a span out of all of them. */
export const KnockoutTest = memo(function KnockoutTest({ view, axis, staleMark, measure }: TestProps) {
  const queries = useCausal((s) => s.queries);
  const reads = useCausal((s) => s.reads);
  const branch = useCausal((s) => s.branch);
  const norms = useCausal((s) => s.norms);
  const rows = useCausal((s) => s.rows);
  const window = useCausal((s) => s.window);
  const foil = useFoil(view);
  const cell = useInspectedCell(view);
  const names = view.models.map(({ slot }) => jobName('knockout', slot));
  const requests = useMemo(
    () => view.models.map((model) => knockoutRequest(view, model, { queries, reads, branch, rows, window }, foil)),
    [view, queries, reads, branch, rows, window, foil],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  const found = useMemo(() => jobs.map((job) => resultOf(job, 'knockout')), [jobs]);
  const each = useMemo(() => NORMS.map((norms) => found.map((one) => knockoutChanges(one, norms))), [found]);
  const changes = each[NORMS.indexOf(norms)];
  const span = useSpan(view, foil);
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const sources = useMemo(() => view.tokens.slice(0, view.position + 1), [view.tokens, view.position]);
  // Before the grid is there, a span has the colours for itself.
  const limit = useMemo(
    () => largest(view, begun ? changes : spanValues(span, norms)),
    [view, begun, changes, span, norms],
  );
  const marked = useMemo(() => new Set<number>(), []);
  const branches = view.models.some(({ model }) => model.blocks.some(hasBranches));
  const versus = foil ? `${view.target.trim()} minus ${foil}` : view.target.trim();
  const strip = axis && span.each.some(Boolean) && (
    <SpanStrip view={view} axis={axis} found={span} norms={norms} limit={limit} />
  );
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
      <RowsChoice />
      <WindowChoice view={view} />
      <NormsChoice />
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`Knock-out of each ${ROW_NAMES[rows]}, logit of ${versus}`, view, [
                { name: 'change, logits', values: each[0] },
                { name: 'change with norms frozen, logits', values: each[1] },
                { name: 'without it, logits', values: found.map((one) => knockoutValues(one, 'rescale')) },
              ])
          : undefined
      }
      aside={
        <aside aria-label="Knocked-out cell">
          <div className="block">
            <CellTitle view={view} cell={cell} values={each[0][0]} />
            {found.some(Boolean) ? (
              <table className="values">
                <SlotHead slots={view.models.map(({ slot }) => slot)} />
                <tbody>
                  <ValueRow name="change, logits" values={cellValues(view, cell, each[0])} />
                  <ValueRow name="with norms frozen" values={cellValues(view, cell, each[1])} />
                  <ValueRow
                    name="without it"
                    values={cellValues(
                      view,
                      cell,
                      found.map((one) => knockoutValues(one, norms)),
                    )}
                  />
                  <ValueRow kind="rule" name="unchanged" values={found.map((each) => formatSigned(each?.base))} />
                </tbody>
              </table>
            ) : (
              <p className="note">Not computed yet.</p>
            )}
          </div>
          <SpanBlock view={view} layer={cell.layer} found={span} begun={begun} />
          <StrongestCells title="Largest changes: layer @position token" view={view} values={changes} />
        </aside>
      }
    >
      <JobControl
        verb={`Knock out every ${ROW_NAMES[rows]}`}
        names={names}
        jobs={jobs}
        problem={tooLong(view, NORMS.length, rows)}
        stale={stale}
        onRun={start}
        legend={
          <>
            {found.some((one) => one?.tested.includes(false)) && <UntestedKey />}
            <SignedScale limit={limit} meaning={norms === 'frozen' ? 'change, norms frozen' : 'change, logits'} />
          </>
        }
      />
      <div ref={measure}>
        {axis && !begun && (
          <>
            <SpanChips tokens={sources} />
            <GridWaits view={view} axis={axis} runs={NORMS.length} rows={rows}>
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
      <OverExamples view={view} test="knockout" />
      <p className="convention">
        <b>Change</b> of the logit of {versus} at position {view.position} when a {ROW_NAMES[rows]} is no longer read in{' '}
        {window > 1 ? `${window} layers, that of the cell and those after it` : 'one layer'}: negative where it spoke
        for the answer. Δ, B, C and gates stay as they were computed, so a token still acts through them. <NormsNote />
      </p>
    </TestSection>
  );
});
