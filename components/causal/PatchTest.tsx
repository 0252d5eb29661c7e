'use client';
import { memo, useMemo } from 'react';
import { formatCount, formatPlain, formatSigned, type Maybe } from '@/lib/figures/numbers';
import { ATTRIBUTION_METRICS, type PatchMetric, patchEffect } from '@/lib/vocabulary';
import { ownToken, type View } from '../data/view';
import { isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SlotHead, ValueRow } from '../ui/parts';
import { Agreement } from './Agreement';
import { CausalGrid } from './CausalGrid';
import { ExactBlock } from './ExactBlock';
import { EstimateWaits, GridWaits, tooLong } from './GridWaits';
import { type GridValues, numberIn } from './grid';
import { JobControl } from './JobControl';
import { OverExamples } from './OverExamples';
import { PairEditor } from './PairEditor';
import {
  BranchChoice,
  CellTitle,
  cellValues,
  checkedAt,
  HowSwitch,
  RowsChoice,
  SignedScale,
  StrongestCells,
  useInspectedCell,
  WindowChoice,
} from './parts';
import { isBranched, POINT_INFO, pointsIn } from './points';
import { isEstimated } from './requests';
import {
  type CheckedCell,
  checkedEffects,
  estimatedEffects,
  estimatedValues,
  gridTable,
  marksOf,
  patchEffects,
  patchedValues,
  warningsOf,
} from './results';
import { ROW_NAMES, setCausal, useCausal } from './settings';
import { type TestProps, TestSection } from './TestSection';
import type { ExactCells } from './useExactCells';
import { usePair } from './usePair';
import { useExactPatches, usePatches } from './usePatches';

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

/** Effects of what was patched exactly, in words. */
const exactEffects = (found: ExactCells<'patch'>['found'], measure: PatchMetric): string[] =>
  found.map((each) => {
    const of = each?.metrics[measure];
    const value = of?.patched[0]?.[0];
    if (!each || !of || value === null || value === undefined || of.clean === null || of.corrupted === null) return '–';
    return formatSigned(patchEffect(value, { clean: of.clean, corrupted: of.corrupted }, each.direction));
  });

interface PatchAsideProps {
  readonly view: View;
  readonly effects: readonly (GridValues | undefined)[];
  readonly patched: readonly (GridValues | undefined)[];
  /** The measure of the two runs, model by model. */
  readonly runs: readonly ({ readonly clean: number | null; readonly corrupted: number | null } | undefined)[];
  readonly measure: PatchMetric;
  readonly isEstimate: boolean;
  readonly cells: ExactCells<'patch'> | undefined;
  readonly checked: readonly (readonly CheckedCell[])[];
  readonly correlations: readonly Maybe[];
}

function PatchAside({
  view,
  effects,
  patched,
  runs,
  measure,
  isEstimate,
  cells,
  checked,
  correlations,
}: PatchAsideProps) {
  const cell = useInspectedCell(view);
  const slots = view.models.map(({ slot }) => slot);
  const values = view.models.map((model, k) => {
    const own = ownToken(model, cell.position);
    return shown(numberIn(own === undefined ? undefined : patched[k]?.(cell.layer, own)), measure);
  });
  const exact = checkedAt(view, cell, checked);
  const { label } = MEASURES.find(({ value }) => value === measure) ?? MEASURES[0];
  return (
    <aside aria-label="Patched cell">
      <div className="block">
        <CellTitle view={view} cell={cell} values={effects[0]} />
        {runs.some(Boolean) ? (
          <table className="values">
            <SlotHead caption={label} slots={slots} />
            <tbody>
              <ValueRow name={isEstimate ? 'estimated effect' : 'effect'} values={cellValues(view, cell, effects)} />
              {isEstimate && <ValueRow name="effect when patched" values={exact} />}
              <ValueRow name={isEstimate ? 'estimated' : 'patched'} values={values} />
              <ValueRow kind="rule" name="clean" values={runs.map((run) => shown(run?.clean, measure))} />
              <ValueRow name="corrupted" values={runs.map((run) => shown(run?.corrupted, measure))} />
            </tbody>
          </table>
        ) : (
          <p className="note">Not computed yet.</p>
        )}
      </div>
      {isEstimate && cells && (
        <ExactBlock
          view={view}
          done="Patched"
          cells={cells}
          rows={[{ name: 'effect', values: exactEffects(cells.found, measure) }]}
        />
      )}
      <StrongestCells
        title={`Largest ${isEstimate ? 'estimates' : 'effects'}: layer @position token`}
        view={view}
        values={effects}
      />
      {isEstimate && <Agreement view={view} checked={checked} correlations={correlations} of="effects" />}
    </aside>
  );
}

/** Where the answer is on its way: one layer and token of one run at a time, carried into the other. */
export const PatchTest = memo(function PatchTest({ view, axis, staleMark, measure }: TestProps) {
  const point = useCausal((s) => s.point);
  const direction = useCausal((s) => s.direction);
  const asked = useCausal((s) => s.measure);
  const rows = useCausal((s) => s.rows);
  const { pair, isOwn, tokens, differing, problem } = usePair(view);
  const window = useCausal((s) => s.window);
  const { how, names, jobs, stale, start, exact, estimated } = usePatches(view, pair);
  const isEstimate = how === 'estimate';
  const measures = MEASURES.filter(
    ({ value }) =>
      (pair.foil || value !== 'logit_difference') &&
      (!isEstimate ||
        (ATTRIBUTION_METRICS.some((name) => name === value) && (value !== 'kl' || direction === 'denoise'))),
  );
  const shownBy = isEstimate
    ? (estimated.find(Boolean)?.metric ?? asked)
    : measures.some(({ value }) => value === asked)
      ? asked
      : 'target_logit';
  const effects = useMemo(
    () => (isEstimate ? estimated.map(estimatedEffects) : exact.map((each) => patchEffects(each, shownBy))),
    [isEstimate, estimated, exact, shownBy],
  );
  const patched = useMemo(
    () => (isEstimate ? estimated.map(estimatedValues) : exact.map((each) => patchedValues(each, shownBy))),
    [isEstimate, estimated, exact, shownBy],
  );
  const checked = useMemo(() => estimated.map(checkedEffects), [estimated]);
  const marks = useMemo(() => marksOf(checked), [checked]);
  const runs = isEstimate ? estimated : exact.map((each) => each?.metrics[shownBy]);
  const found = isEstimate ? estimated : exact;
  const cells = useExactPatches(view, pair, isEstimate && estimated.some(Boolean));
  const warnings = useMemo(
    () => warningsOf(isEstimate ? estimated : exact, shownBy),
    [isEstimate, estimated, exact, shownBy],
  );
  const begun = jobs.some((job) => job?.result || isJobBusy(job));
  const { label, note } = POINT_INFO[point];
  const versus = pair.foil ? `${view.target.trim()} against ${pair.foil}` : view.target.trim();
  const by = measures.find(({ value }) => value === shownBy)?.label ?? '';
  const controls = (
    <>
      {isEstimated(point, window) && <HowSwitch />}
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
        label={`What the runs are compared by${isEstimate ? '' : '; nothing is computed again'}`}
        testId="patch-measure"
        value={measures.some(({ value }) => value === asked) ? asked : measures[0].value}
        options={measures}
        onChange={(value) => setCausal({ measure: value })}
      />
      {!isEstimate && <RowsChoice />}
      {point !== 'conv' && <WindowChoice view={view} />}
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={
        found.some(Boolean)
          ? () =>
              gridTable(`Patching of the ${label} (${direction}${isEstimate ? ', estimated' : ''}), ${versus}`, view, [
                { name: `effect by ${by}`, values: effects },
                ...(isEstimate ? [{ name: `estimated, ${by}`, values: patched }] : []),
                ...(isEstimate ? [] : measures).map(({ value, label }) => ({
                  name: `patched, ${value === 'target_rank' ? 'rank of target from 0' : label}`,
                  values: exact.map((each) => patchedValues(each, value)),
                })),
              ])
          : undefined
      }
      aside={
        <PatchAside
          view={view}
          effects={effects}
          patched={patched}
          runs={runs}
          measure={shownBy}
          isEstimate={isEstimate}
          cells={cells}
          checked={checked}
          correlations={estimated.map((each) => each?.agreement[0]?.rank_correlation)}
        />
      }
    >
      <PairEditor pair={pair} tokens={tokens} differing={differing} isOwn={isOwn} />
      <JobControl
        verb={isEstimate ? 'Estimate every patch' : `Patch every ${ROW_NAMES[rows]}`}
        names={names}
        jobs={jobs}
        problem={problem ?? (isEstimate ? undefined : tooLong(view, 1, rows))}
        stale={stale}
        onRun={start}
        legend={<SignedScale limit={LIMIT} meaning={`${isEstimate ? 'estimated ' : ''}effect by ${by}`} />}
      />
      {warnings.map((warning) => (
        <p key={warning} className="note caution" role="note" data-testid="patch-caution">
          {warning}
        </p>
      ))}
      <div ref={measure}>
        {axis &&
          !begun &&
          (isEstimate ? (
            <EstimateWaits view={view} axis={axis} done="patched" />
          ) : (
            <GridWaits view={view} axis={axis} rows={rows} />
          ))}
        {axis && begun && (
          <CausalGrid
            view={view}
            axis={axis}
            values={effects}
            limit={LIMIT}
            marked={differing}
            brushes={isEstimate}
            checked={isEstimate ? marks : undefined}
            label={`Patching of the ${label}: layers by tokens, ${view.models.map(({ slot }) => slot).join(' left, ')}${view.models.length > 1 ? ' right' : ''}. Arrow keys move, Enter pins.`}
          />
        )}
      </div>
      <OverExamples view={view} test="patch" />
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
        {isEstimate ? (
          <>
            Estimated for every cell at once from one backward pass: the difference of the two runs there, times the
            slope of the measure. Flat ways are underestimated; cells with a corner are patched, and so is what you
            click, or drag over the tokens.
          </>
        ) : (
          <>
            {exact.some((each) => each?.spans.some(([start, end]) => end - start > 1)) &&
              `A ${ROW_NAMES[rows]} is carried over as a whole, so all its tokens show one effect. `}
            Effects do not add up.
          </>
        )}{' '}
        {window > 1 && `A cell stands for ${window} layers, its own and those after it. `}
        Bold: tokens in which the prompts differ.
      </p>
    </TestSection>
  );
});
