'use client';
import { memo, useMemo, useState } from 'react';
import { formatPlain, formatSigned, type Maybe } from '@/lib/figures/numbers';
import { type Dose, doseChart } from '../charts/dose';
import type { LayerAxis } from '../charts/layerAxis';
import { isDiff, type View } from '../data/view';
import { isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { SteppedFigure } from '../ui/SteppedFigure';
import { JobControl } from './JobControl';
import { doseRequest } from './requests';
import { type ResultOf, resultOf } from './results';
import { jobName } from './settings';
import { useAsked } from './useAsked';

const HEIGHT = 168;
const TOP = 20;
const BOTTOM = HEIGHT - 24;

type Run = ResultOf<'lambda'>['runs'][number];

/** What a curve says of a changed run. @param layer whose reads are said */
const MEASURES = {
  target_prob: { label: 'p(target)', of: (run: Run) => run.target_prob, show: formatPlain },
  margin: { label: 'margin, logits', of: (run: Run) => run.margin, show: formatSigned },
  target_log_odds: { label: 'log-odds', of: (run: Run) => run.target_log_odds, show: formatSigned },
  reads: {
    label: 'needle against context',
    of: (run: Run, layer: number): Maybe => run.needle_against_context?.[layer],
    show: formatPlain,
  },
} as const;
type Measure = keyof typeof MEASURES;

/** The answer against λ of all layers, or of one: multiples of each layer's own, 1 the model as it is. */
export const LambdaDose = memo(function LambdaDose(props: { view: View; axis: LayerAxis; foil: string }) {
  const { view, axis, foil } = props;
  const models = useMemo(() => view.models.filter(({ model }) => model.blocks.some(isDiff)), [view.models]);
  const [measure, setMeasure] = useState<Measure>('margin');
  const [where, setWhere] = useState<'all' | 'layer'>('all');
  const names = models.map(({ slot }) => jobName('dose', slot));
  const requests = useMemo(
    () => models.map((model) => doseRequest(view, model, where === 'all' ? undefined : view.layer, foil)),
    [view, models, where, foil],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  const found = useMemo(() => jobs.map((job) => resultOf(job, 'lambda')), [jobs]);
  const { label, of, show } = MEASURES[measure];
  const doses = useMemo(
    () =>
      models.map(
        ({ slot }, k): Dose => ({
          slot,
          points: (found[k]?.runs ?? []).map((run) => ({ lambda: run.lambda, value: of(run, view.layer) })),
        }),
      ),
    [models, found, of, view.layer],
  );
  const left = axis.gutter;
  const right = Math.min(axis.width - 12, left + 520);
  const chart = useMemo(() => doseChart(doses, [left, right, TOP, BOTTOM]), [doses, left, right]);
  if (models.length === 0) return null;
  const hasNeedle = models.some(({ needle }) => needle);
  const shown = found.some((each) => each && each.runs.length > 0);
  return (
    <div className="causal-part" data-testid="lambda-dose">
      <h3>λ as a dose</h3>
      <div className="row">
        <Choice
          caption="λ of"
          label="Layers whose λ is changed"
          testId="dose-where"
          value={where}
          options={[
            { value: 'all', label: 'all layers' },
            { value: 'layer', label: `layer ${view.layer}` },
          ]}
          onChange={setWhere}
        />
        <Choice
          caption="Measure"
          label="What is drawn against λ; nothing is computed again"
          testId="dose-measure"
          value={measure}
          options={(Object.keys(MEASURES) as Measure[])
            .filter((name) => name !== 'reads' || hasNeedle)
            .map((value) => ({
              value,
              label: value === 'reads' ? `${MEASURES[value].label}, layer ${view.layer}` : MEASURES[value].label,
            }))}
          onChange={setMeasure}
        />
      </div>
      <JobControl
        verb="Run from 0 to twice λ"
        names={names}
        jobs={jobs}
        problem={undefined}
        stale={stale}
        onRun={start}
        legend={null}
        testId="dose"
      />
      {(shown || jobs.some(isJobBusy)) && (
        <SteppedFigure
          label="λ, in the answer against λ"
          count={Math.max(1, ...doses.map(({ points }) => points.length))}
          textOf={(k) =>
            doses
              .map(
                ({ slot, points }) =>
                  `${slot} at ${points[k]?.lambda ?? '–'} × λ: ${points[k] ? show(points[k].value) : '–'}`,
              )
              .join(', ')
          }
          testId="dose-figure"
        >
          {(item) => (
            <svg
              className="dose"
              data-testid="dose-curve"
              width={axis.width}
              height={HEIGHT}
              role="img"
              aria-label={`${label} against λ in multiples of its own`}
            >
              <text className="axis" x={left} y={11}>
                {label}
              </text>
              {chart.y.ticks.map(({ y, text, zero }) => (
                <g key={text}>
                  <path className={zero ? 'grid zero' : 'grid'} d={`M${left},${y}H${right}`} />
                  <text className="axis" x={left - 6} y={y + 4} textAnchor="end">
                    {text}
                  </text>
                </g>
              ))}
              {chart.ticks.map(({ x, text }) => (
                <text key={text} className="axis" x={x} y={BOTTOM + 16} textAnchor="middle">
                  {text}
                </text>
              ))}
              <path className="grid zero" d={`M${chart.x(1)},${TOP}V${BOTTOM}`} data-testid="dose-own" />
              <text className="axis" x={chart.x(1) + 4} y={TOP + 8}>
                as it is
              </text>
              {chart.lines.map(({ slot, at }) => (
                <g key={slot}>
                  <path
                    className={`curve ${slot}-line`}
                    fill="none"
                    d={at.map(({ x, y }, k) => `${k === 0 ? 'M' : 'L'}${x},${y}`).join('')}
                    data-testid={`dose-${slot}`}
                  />
                  {at.map(({ x, y, lambda, value }, k) => (
                    <circle key={lambda} className={`${slot}-fill`} cx={x} cy={y} r={k === item ? 5 : 2.6}>
                      <title>{`${slot}, ${lambda} × λ: ${show(value)}`}</title>
                    </circle>
                  ))}
                </g>
              ))}
            </svg>
          )}
        </SteppedFigure>
      )}
    </div>
  );
});
