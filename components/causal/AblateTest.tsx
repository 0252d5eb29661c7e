'use client';
import { memo, useCallback, useMemo } from 'react';
import type { ModelView } from '../data/view';
import { ownPrompts, useBatch } from '../state/batch';
import type { Job } from '../state/jobs';
import { MethodChoice, referenceNote } from './parts';
import { RemovalTest, useRemovals } from './RemovalTest';
import { ablationCellRequest, ablationEstimateRequest, ablationRequest, otherPrompts } from './requests';
import { ablationRemovals, resultOf } from './results';
import { ROW_NAMES, useCausal } from './settings';
import type { TestProps } from './TestSection';
import { useExactCells } from './useExactCells';
import { useFoil } from './usePair';

const WORDS = { name: 'Ablation', verb: 'Ablate at', done: 'ablated', whole: 'whole blocks' };

const resultIn = (job: Job | undefined) => resultOf(job, 'ablate') ?? resultOf(job, 'ablate_attribution');

/** What the answer owes to what a block, or a branch, writes at each token: replaced in one layer at a time. */
export const AblateTest = memo(function AblateTest(props: TestProps) {
  const { view } = props;
  const how = useCausal((s) => s.how);
  const branch = useCausal((s) => s.branch);
  const method = useCausal((s) => s.method);
  const rows = useCausal((s) => s.rows);
  const window = useCausal((s) => s.window);
  const foil = useFoil(view);
  const examples = useBatch((s) => s.examples);
  const others = useMemo(() => otherPrompts(ownPrompts(examples)), [examples]);
  const settings = useMemo(() => ({ branch, method, rows, window }), [branch, method, rows, window]);
  const requests = useMemo(
    () =>
      view.models.map((model) =>
        (how === 'exact' ? ablationRequest : ablationEstimateRequest)(view, model, settings, foil, others),
      ),
    [view, how, settings, foil, others],
  );
  const read = useCallback(
    (job: Job | undefined, k: number) => ablationRemovals(resultIn(job), view.models[k].classes),
    [view],
  );
  const removals = useRemovals(view, 'ablate', requests, read);
  const cellRequest = useCallback(
    (model: ModelView, layer: number, tokens: readonly [number, number]) =>
      ablationCellRequest(view, model, settings, foil, others, layer, tokens),
    [view, settings, foil, others],
  );
  const isOn = how === 'estimate' && removals.found.some(Boolean);
  const exact = useExactCells(view, 'ablate', isOn, cellRequest);
  const cells = useMemo(
    () => exact && { ...exact, found: exact.found.map((one) => ablationRemovals(one, [])) },
    [exact],
  );
  const part = branch ? `what branch ${branch.slice(-1)} brings to the subtraction` : 'what a block adds to the stream';
  const stand = method === 'zero' ? 'becomes zero' : 'becomes its mean';
  return (
    <RemovalTest
      {...props}
      removals={removals}
      cells={cells}
      words={WORDS}
      foil={foil}
      controls={<MethodChoice caption="Replace by" />}
      convention={
        <>
          when {part} at a {how === 'exact' ? ROW_NAMES[rows] : 'token'} {stand} in{' '}
          {window > 1 ? `${window} layers, that of the cell and those after it` : 'one layer'}: negative where it spoke
          for the answer. {referenceNote(removals.jobs.map(resultIn))}
        </>
      }
    />
  );
});
