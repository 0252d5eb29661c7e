'use client';
import { Fragment, useEffect, useMemo } from 'react';
import { formatSigned, type Maybe } from '@/lib/figures/numbers';
import type { LayerAxis } from '../charts/layerAxis';
import { displayToken } from '../charts/tokens';
import type { View } from '../data/view';
import { dropJob, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { RowLabel } from '../ui/AxisParts';
import { SlotHead, ValueRow } from '../ui/parts';
import { GridCells } from './GridCells';
import { type GridValues, gridLayout, UNTESTED } from './grid';
import { knockoutRequest } from './requests';
import { knockoutsOf, type Norms, type ResultOf, resultOf } from './results';
import { jobName, useCausal } from './settings';

/** A span is knocked out once the drag has rested for so long. */
const QUIET_MS = 300;
const STRIP = 18;

/** The span's knock-out in each layer by itself and in all layers together. */
export interface SpanFound {
  readonly each: readonly (ResultOf<'knockout'> | undefined)[];
  readonly together: readonly (ResultOf<'knockout'> | undefined)[];
}

const inLayer = (found: ResultOf<'knockout'> | undefined, layer: number, norms: Norms): ReturnType<GridValues> =>
  found?.tested[0] === false ? UNTESTED : inTestedLayer(found, layer, norms);

const inTestedLayer = (found: ResultOf<'knockout'> | undefined, layer: number, norms: Norms): Maybe =>
  found && knockoutsOf(found, norms)?.change[found.layers.findIndex(([first]) => first === layer)]?.[0];

/** The span's change in each layer by itself, one function a model. */
export const spanValues = ({ each }: SpanFound, norms: Norms): (GridValues | undefined)[] =>
  each.map((found) => found && ((layer) => inLayer(found, layer, norms) ?? undefined));

/** Runs the chosen span in every model, a moment after it was chosen. */
export function useSpan(view: View, foil: string): SpanFound {
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
export function SpanStrip({
  view,
  axis,
  found,
  norms,
  limit,
}: {
  view: View;
  axis: LayerAxis;
  found: SpanFound;
  norms: Norms;
  limit: number;
}) {
  const layout = useMemo(
    () => ({ ...gridLayout(axis, 1, view.models.length), top: 0, row: STRIP, height: STRIP }),
    [axis, view.models.length],
  );
  const values = useMemo(() => spanValues(found, norms), [found, norms]);
  return (
    <div className="figure" style={{ height: STRIP, marginTop: 4 }}>
      <GridCells axis={axis} layout={layout} models={view.models} values={values} limit={limit} />
      <svg className="layer" width={axis.width} height={STRIP} aria-hidden="true">
        <RowLabel y={13} text="span" narrow={axis.narrow} />
      </svg>
    </div>
  );
}

export function SpanBlock(props: { view: View; layer: number; found: SpanFound; begun: boolean }) {
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
              {(['rescale', 'frozen'] as const).map((norms) => {
                const how = norms === 'frozen' ? ', norms frozen' : '';
                const shown = (value: ReturnType<GridValues>) => (value === UNTESTED ? value : formatSigned(value));
                const together = found.together.map((each) =>
                  shown(each?.tested[0] === false ? UNTESTED : knockoutsOf(each, norms)?.change[0]?.[0]),
                );
                return (
                  <Fragment key={norms}>
                    <ValueRow
                      name={`layer ${layer}${how}`}
                      values={found.each.map((each) => shown(inLayer(each, layer, norms)))}
                    />
                    <ValueRow name={`all layers${how || ' together'}`} values={together} />
                  </Fragment>
                );
              })}
            </tbody>
          </table>
        </>
      ) : (
        <p className="note" data-export="omit">
          Drag over {begun ? 'the rows' : 'the tokens'}, or press Shift and an arrow there, to knock out a span of them
          in each layer and in all layers together.
        </p>
      )}
    </div>
  );
}
