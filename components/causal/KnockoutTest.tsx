'use client';
import { memo, useCallback, useMemo } from 'react';
import type { ModelView } from '../data/view';
import type { Job } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SpanBlock, SpanStrip, spanValues, useSpan } from './KnockoutSpan';
import { OverExamples } from './OverExamples';
import { RemovalTest, useRemovals } from './RemovalTest';
import { knockoutCellRequest, knockoutEstimateRequest, knockoutRequest } from './requests';
import { knockoutRemovals, resultOf } from './results';
import { SpanChips } from './SpanChips';
import { ROW_NAMES, setCausal, useCausal } from './settings';
import type { TestProps } from './TestSection';
import { useExactCells } from './useExactCells';
import { useFoil } from './usePair';

const QUERIES = [
  { value: 'later', label: 'all later tokens' },
  { value: 'answer', label: 'the read-out' },
] as const;
const READS = [
  { value: 'scan', label: 'in the scan' },
  { value: 'block', label: 'in the whole block' },
] as const;
const WORDS = { name: 'Knock-out', verb: 'Knock out', done: 'knocked out' };

const removalsIn = (job: Job | undefined) =>
  knockoutRemovals(resultOf(job, 'knockout') ?? resultOf(job, 'knockout_attribution'));

/** What the answer owes to each read: sources taken out of one layer at a time, or a span out of all of them. */
export const KnockoutTest = memo(function KnockoutTest(props: TestProps) {
  const { view } = props;
  const how = useCausal((s) => s.how);
  const queries = useCausal((s) => s.queries);
  const reads = useCausal((s) => s.reads);
  const branch = useCausal((s) => s.branch);
  const norms = useCausal((s) => s.norms);
  const rows = useCausal((s) => s.rows);
  const window = useCausal((s) => s.window);
  const foil = useFoil(view);
  const settings = useMemo(() => ({ queries, reads, branch, rows, window }), [queries, reads, branch, rows, window]);
  const requests = useMemo(
    () =>
      view.models.map((model) =>
        (how === 'exact' ? knockoutRequest : knockoutEstimateRequest)(view, model, settings, foil),
      ),
    [view, how, settings, foil],
  );
  const removals = useRemovals(view, 'knockout', requests, removalsIn);
  const cellRequest = useCallback(
    (model: ModelView, layer: number, tokens: readonly [number, number]) =>
      knockoutCellRequest(view, model, settings, foil, layer, tokens),
    [view, settings, foil],
  );
  const isOn = how === 'estimate' && removals.found.some(Boolean);
  // Spans have a block and a row of their own.
  const exact = useExactCells(view, 'knockout', isOn, cellRequest, false);
  const cells = useMemo(() => exact && { ...exact, found: exact.found.map(knockoutRemovals) }, [exact]);
  const span = useSpan(view, foil);
  const shownNorms = how === 'exact' ? norms : 'rescale';
  const early = useMemo(() => spanValues(span, shownNorms), [span, shownNorms]);
  const sources = useMemo(() => view.tokens.slice(0, view.position + 1), [view.tokens, view.position]);
  return (
    <RemovalTest
      {...props}
      removals={removals}
      cells={cells}
      words={WORDS}
      foil={foil}
      controls={
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
        </>
      }
      chips={<SpanChips tokens={sources} />}
      strip={(axis, limit) =>
        span.each.some(Boolean) && <SpanStrip view={view} axis={axis} found={span} norms={shownNorms} limit={limit} />
      }
      early={early}
      span={(layer, begun) => <SpanBlock view={view} layer={layer} found={span} begun={begun} />}
      more={<OverExamples view={view} test="knockout" />}
      convention={
        <>
          when a {how === 'exact' ? ROW_NAMES[rows] : 'token'} is no longer read in{' '}
          {window > 1 ? `${window} layers, that of the cell and those after it` : 'one layer'}: negative where it spoke
          for the answer. Δ, B, C and gates stay as they were computed, so a token still acts through them.
        </>
      }
    />
  );
});
