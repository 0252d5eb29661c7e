'use client';
import { memo, useMemo, useState } from 'react';
import type { SnrExampleInput } from '@/lib/api/analyses';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import type { FaithfulnessResult } from '@/lib/api/faithfulness';
import { formatValue } from '@/lib/figures/numbers';
import { intervalsText, type SourceOrder } from '@/lib/vocabulary';
import type { View } from '../data/view';
import { ownPrompts } from '../state/batch';
import { cancelJob, isJobBusy, openJob, startJob, useJobsOf } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { Convention } from '../ui/Convention';
import { JobStatus } from '../ui/JobStatus';
import { LinesEditor } from '../ui/LinesEditor';
import { useWidth } from '../ui/measure';
import { Id } from '../ui/parts';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { SteppedFigure } from '../ui/SteppedFigure';
import { AREAS, areaDots, areasOf, areaTable, type Measured, type Norms, ORDER_NAMES, ROW } from './areas';

type Examples = Extract<AnalysisRequestInput, { kind: 'faithfulness' }>['examples'];

const JOB = 'faithfulness';
const NAMES = 132;
const GAP = 36;
const HEAD = 20;

const NORMS = [
  { value: 'rescale', label: 'norms rescale', testId: 'faithfulness-rescale' },
  { value: 'frozen', label: 'norms frozen', testId: 'faithfulness-frozen' },
] as const;
const PROMPTS = [
  { value: 'own', label: 'this prompt' },
  ...['10', '25', '100'].map((value) => ({ value, label: `${value} stories` })),
];
const TITLES = { deletion_area: 'deletion: low is good', insertion_area: 'insertion: high is good' } as const;

/** Areas of every order as dots with intervals: deletion beside insertion. */
function AreaFigure({ found, norms, width }: { found: readonly Measured[]; norms: Norms; width: number }) {
  const panel = (width - NAMES - GAP - 8) / 2;
  const panels = AREAS.map((area, k) => {
    const left = NAMES + k * (panel + GAP);
    return { area, ...areaDots(found, area, norms, [left, left + panel]), left };
  });
  const [{ orders, height }] = panels;
  const label = `Areas under deletion and insertion curves of ${found.map(({ slot }) => slot).join(' and ')}`;
  const said = (order: SourceOrder) =>
    found.map(({ slot, orders: own }) => {
      const one = own?.find((each) => each.order === order);
      const areas = one && areasOf(one, norms);
      return `${slot} deletion ${formatValue(areas?.deletion_area?.mean, false)}, insertion ${formatValue(areas?.insertion_area?.mean, false)}`;
    });
  return (
    <SteppedFigure
      label="Order, in the areas"
      count={orders.length}
      textOf={(row) => `${ORDER_NAMES[orders[row]]}: ${said(orders[row]).join(', ')}`}
      testId="areas-figure"
    >
      {(item) => (
        <svg
          className="areas"
          width={width}
          height={HEAD + height + 20}
          role="img"
          aria-label={label}
          data-testid="faithfulness-areas"
        >
          {orders.map((order, row) => (
            <text
              key={order}
              className={row === item ? 'axis strong' : 'axis'}
              x={0}
              y={HEAD + row * ROW + ROW / 2 + 4}
            >
              {ORDER_NAMES[order]}
            </text>
          ))}
          {panels.map(({ area, dots, ticks, left }) => (
            <g key={area}>
              <text className="axis" x={left} y={11}>
                {panel < 150 ? TITLES[area].replace(/:.*/, '') : TITLES[area]}
              </text>
              {ticks.map(({ x, text }) => (
                <g key={text}>
                  <path className="grid" d={`M${x},${HEAD}v${height}`} />
                  <text className="axis" x={x} y={HEAD + height + 14} textAnchor="middle">
                    {text}
                  </text>
                </g>
              ))}
              {dots.map(({ slot, order, x, y, from, to }) => (
                <g key={`${slot}${order}`} transform={`translate(0,${HEAD})`}>
                  {from !== undefined && to !== undefined && (
                    <path className={`curve ${slot}-line`} d={`M${from},${y}H${to}`} />
                  )}
                  {slot === 'A' ? (
                    <circle className={`${slot}-fill`} cx={x} cy={y} r={3.4} />
                  ) : (
                    <rect className={`${slot}-fill`} x={x - 3} y={y - 3} width={6} height={6} />
                  )}
                </g>
              ))}
            </g>
          ))}
        </svg>
      )}
    </SteppedFigure>
  );
}

function Numbers({ slot, orders, norms }: Measured & { readonly norms: Norms }) {
  return (
    <div className="block" data-testid={`faithful-${slot}`}>
      <h3>
        <Id slot={slot} /> areas
      </h3>
      {orders ? (
        <table className="values">
          <thead>
            <tr>
              <th scope="col">order</th>
              <th scope="col">deletion</th>
              <th scope="col">insertion</th>
            </tr>
          </thead>
          <tbody>
            {orders.map((one) => {
              const { deletion_area: deletion, insertion_area: insertion } = areasOf(one, norms);
              return (
                <tr key={one.order}>
                  <th scope="row">{ORDER_NAMES[one.order]}</th>
                  <td>{formatValue(deletion?.mean, false)}</td>
                  <td>{formatValue(insertion?.mean, false)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      ) : (
        <p className="note">Not measured yet.</p>
      )}
    </div>
  );
}

/** What the areas are of, in words. @param shown the prompt on the page */
function wordsOf(result: FaithfulnessResult, examples: Examples, shown: string): string {
  if (typeof examples === 'string') return `${result.examples} stories`;
  if (examples.length === 1 && examples[0].prompt === shown) return 'this prompt';
  return result.examples === 1 ? '1 prompt' : `${result.examples} prompts`;
}

/** Which map says best what the answer rests on: sources are removed and given back in the order that it gives them. */
export const FaithfulnessSection = memo(function FaithfulnessSection(props: {
  view: View;
  /** The wrong answer that logits are differences to; empty for none. */
  foil: string;
  staleMark: string;
}) {
  const { view, foil, staleMark } = props;
  const [prompts, setPrompts] = useState('own');
  /** What the editor of own prompts begins with, while it is open. */
  const [editing, setEditing] = useState<readonly SnrExampleInput[]>();
  const [norms, setNorms] = useState<Norms>('rescale');
  const [ref, width] = useWidth();
  const [job] = useJobsOf([JOB]);
  const busy = isJobBusy(job);
  const names = useMemo(() => [...new Set(view.models.map(({ name }) => name))], [view.models]);
  const result = job?.result?.kind === 'faithfulness' ? job.result : undefined;
  const request = job?.answered?.kind === 'faithfulness' ? job.answered : undefined;
  const { prompt } = view.run.request;
  const own: SnrExampleInput = {
    prompt,
    target: view.target,
    ...(foil && foil.trim() !== view.target.trim() && { foil }),
    ...(view.position < view.tokens.length - 1 && { position: view.position }),
  };
  const found = view.models.map(({ slot, name }): Measured => {
    return { slot, orders: result?.models.find(({ model }) => model === name)?.orders };
  });
  const words = result && request ? wordsOf(result, request.examples, prompt) : '';
  const kept = view.run.analyses
    .filter(({ question }) => question.startsWith(`faithfulness.${names.join('.')}.`))
    .at(-1);
  const start = (examples: Examples) => void startJob(JOB, { kind: 'faithfulness', models: names, examples });
  const controls = (
    <>
      <Choice
        caption="Over"
        label="Prompts that are measured"
        value={prompts}
        options={PROMPTS}
        onChange={setPrompts}
      />
      <button
        type="button"
        className="button low"
        data-testid="faithfulness-run"
        onClick={busy ? () => cancelJob(JOB) : () => start(prompts === 'own' ? [own] : `demo:${prompts}`)}
      >
        {busy ? 'Cancel' : 'Remove sources'}
      </button>
      {!job && kept && (
        <button type="button" className="link" onClick={() => openJob(JOB, kept.id)}>
          Open the last of this run
        </button>
      )}
      <JobStatus job={job} shown={Boolean(result)} testId="faithfulness-status" />
    </>
  );
  return (
    <Section
      id="faithfulness"
      title={
        <>
          Faithfulness <em>{staleMark}</em>
        </>
      }
      controls={controls}
      more={
        <>
          <Segmented label="What norms do after a removal" options={NORMS} value={norms} onChange={setNorms} />
          <button
            type="button"
            className="button low"
            data-testid="faithfulness-own"
            aria-expanded={editing !== undefined}
            onClick={() => setEditing(editing ? undefined : (ownPrompts(request?.examples ?? null) ?? [own]))}
          >
            Own prompts
          </button>
        </>
      }
      table={result && (() => areaTable(found, words))}
      canMaximise
      aside={
        <aside aria-label="Areas under the curves">
          {found.map((one) => (
            <Numbers key={one.slot} {...one} norms={norms} />
          ))}
        </aside>
      }
    >
      {editing && (
        <div className="editor" data-testid="faithfulness-editor">
          <p className="note">
            One prompt a line with its target, and with a foil and a position where it has them, as{' '}
            <code>faithfulness --examples</code> takes them.
          </p>
          <LinesEditor testId="faithfulness-own" busy={busy} given={editing} onStart={start}>
            <button type="button" className="button low" onClick={() => setEditing(undefined)}>
              Close
            </button>
          </LinesEditor>
        </div>
      )}
      {job?.failure && (
        <p className="note bad" role="alert">
          {job.failure}
        </p>
      )}
      {!result && !busy && (
        <p className="note">
          Which map is to be trusted here? The sources are removed in the order of each map, rollout and attribution,
          and given back: some 600 passes over each prompt and model, in batches.
        </p>
      )}
      <div ref={ref} style={{ minHeight: result ? 300 : 24 }}>
        {result && width > 0 && <AreaFigure {...{ found, norms, width }} />}
      </div>
      <Convention
        plain={
          <>
            <b>
              {result
                ? `Areas over ${words}${result.intervals ? `: ${intervalsText(result.intervals)}` : ''}`
                : 'Deletion and insertion'}
              .
            </b>{' '}
            Dots beside those of random orders say that the map says nothing.
          </>
        }
      >
        0 is the model without any source, 1 the whole one. Nothing reads a removed source in any layer, by scan or
        convolution; the read-out token stays. An RMS norm blows up what a removal leaves; frozen, each divides as in
        the unchanged run.
      </Convention>
    </Section>
  );
});
