'use client';
import { memo, useMemo } from 'react';
import { formatCount, formatPlain, formatSigned } from '@/lib/figures/numbers';
import type { PatchMetric } from '@/lib/vocabulary';
import { ownToken, type View } from '../data/view';
import { isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SlotHead, ValueRow } from '../ui/parts';
import { CausalGrid } from './CausalGrid';
import { GridWaits } from './GridWaits';
import { type GridValues, numberIn } from './grid';
import { JobControl } from './JobControl';
import { PairEditor } from './PairEditor';
import { BranchChoice, CellTitle, cellValues, SignedScale, StrongestCells, useInspectedCell } from './parts';
import { isBranched, POINT_INFO, pointsIn } from './points';
import { patchRequest } from './requests';
import { gridTable, patchEffects, patchedValues, type ResultOf, resultOf, warningsOf } from './results';
import { jobName, setCausal, useCausal } from './settings';
import { type TestProps, TestSection } from './TestSection';
import { useAsked } from './useAsked';
import { usePair } from './usePair';

const DIRECTIONS = [
  { value: 'denoise', label: 'clean into corrupted (denoise)' },
  { value: 'noise', label: 'corrupted into clean (noise)' },
] as const;
const MEASURES: readonly { value: PatchMetric; label: string }[] = [
  { value: 'logit_difference', label: 'logit difference' },
  { value: 'target_logit', label: 'logit of the target' },
  { value: 'margin', label: 'margin' },
  { value: 'target_prob', label: 'p(target)' },
  { value: 'target_logprob', label: 'ln p(target)' },
  { value: 'target_rank', label: 'rank of target' },
  { value: 'kl', label: 'KL(clean ‖ patched)' },
];

/** A value of a measure; ranks count from 1 on the page. */
const shown = (value: number | null | undefined, measure: PatchMetric): string => {
  if (measure === 'target_rank') return formatCount(typeof value === 'number' ? value + 1 : value);
  return measure === 'target_prob' || measure === 'kl' ? formatPlain(value) : formatSigned(value);
};

/** Colours say how much of the clean answer comes back: all of it saturates. */
const LIMIT = 1;

function PatchAside(props: {
  view: View;
  found: readonly (ResultOf<'patch'> | undefined)[];
  effects: readonly (GridValues | undefined)[];
  measure: PatchMetric;
}) {
  const { view, found, effects, measure } = props;
  const cell = useInspectedCell(view);
  const slots = view.models.map(({ slot }) => slot);
  const patched = view.models.map((model, k) => {
    const own = ownToken(model, cell.position);
    const value = own === undefined ? undefined : patchedValues(found[k], measure)?.(cell.layer, own);
    return shown(numberIn(value), measure);
  });
  const unpatched = (which: 'clean' | 'corrupted') =>
    found.map((each) => shown(each?.metrics[measure]?.[which], measure));
  const { label } = MEASURES.find(({ value }) => value === measure) ?? MEASURES[0];
  return (
    <aside aria-label="Patched cell">
      <div className="block">
        <CellTitle view={view} cell={cell} />
        {found.some(Boolean) ? (
          <table className="values">
            <SlotHead caption={label} slots={slots} />
            <tbody>
              <ValueRow name="effect" values={cellValues(view, cell, effects)} />
              <ValueRow name="patched" values={patched} />
              <ValueRow kind="rule" name="clean" values={unpatched('clean')} />
              <ValueRow name="corrupted" values={unpatched('corrupted')} />
            </tbody>
          </table>
        ) : (
          <p className="note">Not computed yet.</p>
        )}
      </div>
      <StrongestCells title="Largest effects: layer @position token" view={view} values={effects} />
    </aside>
  );
}

/** Where the answer is on its way: one layer and token of one run at a time, carried into the other. */
export const PatchTest = memo(function PatchTest({ view, axis, staleMark, measure }: TestProps) {
  const point = useCausal((s) => s.point);
  const branch = useCausal((s) => s.branch);
  const direction = useCausal((s) => s.direction);
  const asked = useCausal((s) => s.measure);
  const { pair, isOwn, tokens, differing, problem } = usePair(view);
  const names = view.models.map(({ slot }) => jobName('patch', slot));
  const requests = useMemo(
    () => view.models.map((model) => patchRequest(view, model, { point, branch, direction }, pair)),
    [view, point, branch, direction, pair],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  const found = useMemo(() => jobs.map((job) => resultOf(job, 'patch')), [jobs]);
  const measures = MEASURES.filter(({ value }) => pair.foil || value !== 'logit_difference');
  const shownBy = measures.some(({ value }) => value === asked) ? asked : 'target_logit';
  const effects = useMemo(() => found.map((each) => patchEffects(each, shownBy)), [found, shownBy]);
  const warnings = useMemo(() => warningsOf(found, shownBy), [found, shownBy]);
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const { label, note } = POINT_INFO[point];
  const versus = pair.foil ? `${view.target.trim()} against ${pair.foil}` : view.target.trim();
  const by = measures.find(({ value }) => value === shownBy)?.label ?? '';
  const controls = (
    <>
      <Choice
        caption="Carry over"
        label="What is carried over"
        testId="patch-point"
        value={point}
        options={pointsIn(view.models).map((value) => ({ value, label: POINT_INFO[value].label }))}
        onChange={(value) => setCausal({ point: value })}
      />
      {isBranched(view.models, point) && <BranchChoice />}
      <Choice
        caption="from"
        label="Direction of the patch"
        testId="patch-direction"
        value={direction}
        options={DIRECTIONS}
        onChange={(value) => setCausal({ direction: value })}
      />
      <Choice
        caption="Measure"
        label="What the runs are compared by; nothing is computed again"
        testId="patch-measure"
        value={shownBy}
        options={measures}
        onChange={(value) => setCausal({ measure: value })}
      />
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`Patching of the ${label} (${direction}), ${versus}`, view, [
                { name: `effect by ${by}`, values: effects },
                ...measures.map(({ value, label }) => ({
                  name: `patched, ${value === 'target_rank' ? 'rank of target from 0' : label}`,
                  values: found.map((each) => patchedValues(each, value)),
                })),
              ])
          : undefined
      }
      aside={<PatchAside view={view} found={found} effects={effects} measure={shownBy} />}
    >
      <PairEditor pair={pair} tokens={tokens} differing={differing} isOwn={isOwn} />
      <JobControl
        verb="Patch every token"
        names={names}
        jobs={jobs}
        problem={problem}
        stale={stale}
        onRun={start}
        legend={<SignedScale limit={LIMIT} meaning={`effect by ${by}`} />}
      />
      {warnings.map((warning) => (
        <p key={warning} className="note caution" role="note" data-testid="patch-caution">
          {warning}
        </p>
      ))}
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
        <b>Effect</b> ={' '}
        {direction === 'denoise' ? (
          <>
            (patched − corrupted) ÷ (clean − corrupted) by {by}, for {versus} at position {view.position}. The corrupted
            prompt runs with {note}, taken from the clean prompt: 0 changes nothing, 1 brings the clean answer back: it
            is enough.
          </>
        ) : (
          <>
            (patched − clean) ÷ (corrupted − clean) by {by}, for {versus} at position {view.position}. The clean prompt
            runs with {note}, taken from the corrupted prompt: 0 changes nothing, 1 makes it the corrupted answer: it is
            needed.
          </>
        )}{' '}
        Effects do not add up. Bold: tokens in which the prompts differ.
      </p>
    </TestSection>
  );
});
