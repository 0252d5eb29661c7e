'use client';
import { memo, useMemo } from 'react';
import type { LayerAxis } from '../charts/layerAxis';
import { formatSigned } from '../charts/numbers';
import type { View } from '../data/view';
import { isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SlotHead, ValueRow } from '../ui/parts';
import { CausalGrid } from './CausalGrid';
import { GridWaits } from './GridWaits';
import type { GridValues } from './grid';
import { JobControl } from './JobControl';
import { PairEditor } from './PairEditor';
import { BranchChoice, CellTitle, cellValues, SignedScale, StrongestCells, useInspectedCell } from './parts';
import { isBranched, POINT_INFO, pointsIn } from './points';
import { patchRequest } from './requests';
import { gridTable, patchEffects, patchedValues, type ResultOf, resultOf } from './results';
import { jobName, setCausal, useCausal } from './settings';
import { TestSection } from './TestSection';
import { useAsked } from './useAsked';
import { usePair } from './usePair';

/** Colours say how much of the clean answer comes back: all of it saturates. */
const LIMIT = 1;

function PatchAside(props: {
  view: View;
  found: readonly (ResultOf<'patch'> | undefined)[];
  effects: readonly (GridValues | undefined)[];
}) {
  const { view, found, effects } = props;
  const cell = useInspectedCell(view);
  const slots = view.models.map(({ slot }) => slot);
  const patched = found.map(patchedValues);
  return (
    <aside aria-label="Patched cell">
      <div className="block">
        <CellTitle view={view} cell={cell} />
        {found.some(Boolean) ? (
          <table className="values">
            <SlotHead slots={slots} />
            <tbody>
              <ValueRow name="effect" values={cellValues(view, cell, effects)} />
              <ValueRow name="patched, logits" values={cellValues(view, cell, patched)} />
              <ValueRow kind="rule" name="clean" values={found.map((each) => formatSigned(each?.clean))} />
              <ValueRow name="corrupted" values={found.map((each) => formatSigned(each?.corrupted))} />
            </tbody>
          </table>
        ) : (
          <p className="note">Not computed yet.</p>
        )}
      </div>
      <StrongestCells title="Largest effects: layer, token" view={view} values={effects} />
    </aside>
  );
}

/** Where the answer is on its way: one layer and token of the clean run at a time, carried into the corrupted run. */
export const PatchTest = memo(function PatchTest(props: {
  view: View;
  axis: LayerAxis | undefined;
  staleMark: string;
  /** Takes the element whose width the axis has. */
  measure: (element: HTMLElement | null) => void;
}) {
  const { view, axis, staleMark, measure } = props;
  const point = useCausal((s) => s.point);
  const branch = useCausal((s) => s.branch);
  const { pair, isOwn, tokens, differing, problem } = usePair(view);
  const names = view.models.map(({ slot }) => jobName('patch', slot));
  const requests = useMemo(
    () => view.models.map((model) => patchRequest(view, model, { point, branch }, pair)),
    [view, point, branch, pair],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  const found = useMemo(() => jobs.map((job) => resultOf(job, 'patch')), [jobs]);
  const effects = useMemo(() => found.map(patchEffects), [found]);
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const { label, note } = POINT_INFO[point];
  const versus = pair.foil ? `${view.target.trim()} minus ${pair.foil}` : view.target.trim();
  const controls = (
    <>
      <Choice
        caption="Carry over"
        label="What is carried over from the clean run"
        testId="patch-point"
        value={point}
        options={pointsIn(view.models).map((value) => ({ value, label: POINT_INFO[value].label }))}
        onChange={(value) => setCausal({ point: value })}
      />
      {isBranched(view.models, point) && <BranchChoice />}
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`Patching of the ${label}, logit of ${versus}`, view, [
                { name: 'effect', values: effects },
                { name: 'patched, logits', values: found.map(patchedValues) },
              ])
          : undefined
      }
      aside={<PatchAside view={view} found={found} effects={effects} />}
    >
      <PairEditor pair={pair} tokens={tokens} differing={differing} isOwn={isOwn} />
      <JobControl
        verb="Patch every token"
        names={names}
        jobs={jobs}
        problem={problem}
        stale={stale}
        onRun={start}
        legend={<SignedScale limit={LIMIT} meaning="effect" />}
      />
      <div ref={measure}>
        {axis && !begun && <GridWaits view={view} axis={axis} />}
        {axis && begun && (
          <CausalGrid
            view={view}
            axis={axis}
            values={effects}
            limit={LIMIT}
            marked={differing}
            brushes={false}
            label={`Patching of the ${label}: layers by tokens, ${view.models.map(({ slot }) => slot).join(' left, ')}${view.models.length > 1 ? ' right' : ''}. Arrow keys move, Enter pins.`}
          />
        )}
      </div>
      <p className="convention">
        <b>Effect</b> = (patched − corrupted) ÷ (clean − corrupted), of the logit of {versus} at position{' '}
        {view.position}. The corrupted prompt runs with {note}, taken from the clean prompt: 0 changes nothing, 1 brings
        the clean answer back. Effects do not add up. Bold: tokens in which the prompts differ.
      </p>
    </TestSection>
  );
});
