'use client';
import { memo, useMemo } from 'react';
import type { Lens, Signal } from '@/lib/api/readings';
import { formatValue } from '@/lib/figures/numbers';
import { METRIC_INFO, METRICS } from '../charts/curve';
import { layerAxis } from '../charts/layerAxis';
import { useThumbnailWords } from '../data/mapWords';
import { useLensKind, useModels } from '../data/queries';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { useBatch } from '../state/batch';
import { select, useSelection } from '../state/selection';
import { LensSwitch } from '../ui/LensSwitch';
import { useNarrow, useWidth } from '../ui/measure';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { batchCurves } from './batchSeries';
import { DifferenceCurve } from './DifferenceCurve';
import { Finding } from './Finding';
import { LayerAside } from './LayerAside';
import { LayerStrip } from './LayerStrip';
import { SignalCurve } from './SignalCurve';
import { signalTable } from './signalTable';

const METRIC_OPTIONS = METRICS.map((value) => ({ value, label: METRIC_INFO[value].label, testId: `metric-${value}` }));
const AXIS_OPTIONS = [
  { value: 'log', label: 'log', testId: 'axis-log' },
  { value: 'linear', label: 'linear', testId: 'axis-linear' },
] as const;

const Key = ({ n }: { n: number | undefined }) => (
  <span className="note key" data-testid="signal-key">
    <svg width="22" height="10" aria-hidden="true">
      {n !== undefined && <path d="M0 1h22v8H0z" fill="var(--ink-2)" opacity=".16" />}
      <path d="M0 5h22" stroke="var(--ink-2)" strokeWidth="1.75" />
      <circle cx="6" cy="5" r="2.6" fill="var(--bg)" stroke="var(--ink-2)" />
      <rect x="13.5" y="2.5" width="5" height="5" fill="var(--bg)" stroke="var(--ink-2)" />
    </svg>
    {n === undefined
      ? 'this prompt, n = 1: no interval'
      : `mean of the batch, n = ${n}${n > 1 ? ', bootstrap 95 % over prompts, not training seeds' : ': no interval'}; hollow: this prompt`}
  </span>
);

/** The paper's figure: needle probability through tuned lenses on a linear axis, its labels. */
const paperPreset = (paper: boolean) =>
  select(paper ? { paper, metric: 'p', logAxis: false, lens: 'tuned' } : { paper });

/** What the small maps above show. */
const StripCaption = ({ view }: { view: View }) => (
  <p className="note" data-testid="strip-caption">
    Small maps: {useThumbnailWords(view)}.
  </p>
);

export const SignalSection = memo(function SignalSection(props: {
  view: View;
  signals: readonly (Signal | undefined)[];
  lenses: readonly (Lens | undefined)[];
  staleMark: string;
}) {
  const { view, signals, lenses, staleMark } = props;
  const metric = useSelection((s) => s.metric);
  const logAxis = useSelection((s) => s.logAxis);
  const paper = useSelection((s) => s.paper) && metric === 'p';
  const { kind: lens } = useLensKind(view.models);
  const wantsDifference = useSelection((s) => s.difference);
  const result = useBatch((s) => s.result);
  const batch = useMemo(() => batchCurves(result, view, metric, lens), [result, view, metric, lens]);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const { data: models } = useModels();
  const info = METRIC_INFO[metric];
  const axis = useMemo(() => layerAxis(width, view.layers, narrow), [width, view.layers, narrow]);
  const vocabulary = models?.models.find(({ name }) => name === view.models[0].name)?.vocab_size ?? 50_000;
  const valueText = `${info.label} ${view.models
    .map(({ slot }, k) => {
      const signal = signals[k];
      return `${slot} ${formatValue(signal ? metricOnAxis(signal, metric, view.layers)[view.layer + 1] : undefined, info.signed)}`;
    })
    .join(', ')}`;
  const controls = (
    <>
      <Segmented
        label="Metric"
        options={METRIC_OPTIONS}
        value={metric}
        onChange={(value) => select({ metric: value, paper: false })}
      />
      {metric !== 'needle_against_context' && <LensSwitch view={view} name="signal" />}
      {info.log && (
        <Segmented
          label="Vertical scale"
          options={AXIS_OPTIONS}
          value={logAxis ? 'log' : 'linear'}
          onChange={(value) => select({ logAxis: value === 'log' })}
        />
      )}
      <label className="checkbox" title="Needle probability with the labels of the paper’s figure">
        <input
          type="checkbox"
          data-testid="paper"
          checked={paper}
          onChange={({ target }) => paperPreset(target.checked)}
        />
        as in the paper
      </label>
      <span className="grow" />
      <Key n={batch?.n} />
    </>
  );
  return (
    <Section
      id="signal"
      title={
        <>
          Signal by layer <em>{staleMark}</em>
        </>
      }
      controls={controls}
      table={() => signalTable(view, signals, result, lens)}
      canMaximise
      aside={<LayerAside view={view} signals={signals} batch={batch} metric={metric} />}
    >
      <Finding view={view} signals={signals} metric={metric} />
      <div ref={ref} style={{ minHeight: 330 }}>
        {width > 0 && (
          <>
            <SignalCurve
              view={view}
              axis={axis}
              signals={signals}
              batch={batch}
              metric={metric}
              paper={paper}
              log={info.log && logAxis}
            />
            {view.models.length > 1 && (wantsDifference || batch?.difference) && (
              <DifferenceCurve view={view} axis={axis} signals={signals} batch={batch} metric={metric} paper={paper} />
            )}
            <LayerStrip view={view} axis={axis} lenses={lenses} vocabulary={vocabulary} valueText={valueText} />
            <StripCaption view={view} />
          </>
        )}
      </div>
    </Section>
  );
});
