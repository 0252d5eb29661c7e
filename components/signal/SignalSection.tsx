'use client';
import { memo, useMemo, useState } from 'react';
import type { Lens } from '@/lib/api/bodies';
import type { Signal } from '@/lib/api/readings';
import { formatPlain, formatValue } from '@/lib/figures/numbers';
import { METRIC_INFO, METRICS } from '../charts/curve';
import { layerAxis } from '../charts/layerAxis';
import { useThumbnailWords } from '../data/mapWords';
import { useLensKind, useModels } from '../data/queries';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { useBatch } from '../state/batch';
import { parseCandidates } from '../state/edit';
import { select, useSelection } from '../state/selection';
import { Check } from '../ui/Check';
import { Control } from '../ui/Control';
import { LensSwitch } from '../ui/LensSwitch';
import { useNarrow, useWidth } from '../ui/measure';
import { Id, TokenText } from '../ui/parts';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { batchCurves } from './batchSeries';
import { DifferenceCurve } from './DifferenceCurve';
import { Finding } from './Finding';
import { LayerAside } from './LayerAside';
import { LayerStrip } from './LayerStrip';
import { largestLambda } from './lambdaFinding';
import { DASHES, MOST_OTHERS, type OtherLine, othersOf, useOtherTargets } from './otherTargets';
import { SignalCurve } from './SignalCurve';
import { signalTable } from './signalTable';

const METRIC_OPTIONS = METRICS.map((value) => ({ value, label: METRIC_INFO[value].label, testId: `metric-${value}` }));
const AXIS_OPTIONS = [
  { value: 'log', label: 'log', testId: 'axis-log' },
  { value: 'linear', label: 'linear', testId: 'axis-linear' },
] as const;

const Key = ({ n }: { n: number | undefined }) => (
  <span className="note key" data-testid="signal-key" data-export="key">
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

const NO_OTHERS: readonly OtherLine[] = [];

/** Which words are traced beside the target; empty for none. */
function OthersField({ view }: { view: View }) {
  const also = useSelection((s) => s.also);
  const candidates = useSelection((s) => s.candidates);
  const [draft, setDraft] = useState<string | null>(null);
  const commit = () => {
    if (draft !== null) select({ also: parseCandidates(draft) });
    setDraft(null);
  };
  const rivals = othersOf(candidates, view.target);
  return (
    <Control caption="Also trace" title={`Up to ${MOST_OTHERS} words beside the target, between commas`}>
      <input
        className="field mono"
        style={{ width: 160 }}
        aria-label="Words that are traced beside the target, between commas"
        data-testid="also-input"
        autoComplete="off"
        spellCheck={false}
        value={draft ?? also.join(', ')}
        onChange={({ target }) => setDraft(target.value)}
        onBlur={commit}
        onKeyDown={({ key }) => {
          if (key === 'Enter') commit();
          if (key === 'Escape') setDraft(null);
        }}
      />
      {rivals.length > 0 && also.join() !== rivals.join() && (
        <button type="button" className="link" data-testid="also-candidates" onClick={() => select({ also: rivals })}>
          candidates
        </button>
      )}
    </Control>
  );
}

/** Which dashes are of which word. */
function OthersKey({ target, unknown }: { target: string; unknown: readonly string[] }) {
  const words = othersOf(
    useSelection((s) => s.also),
    target,
  );
  if (words.length === 0) return null;
  return (
    <p className="note key" data-testid="also-key" data-export="key">
      {[target.trim(), ...words].map((word, k) => (
        <span key={word} className="key">
          <svg width="26" height="10" aria-hidden="true">
            <path
              d="M0 5h26"
              stroke="var(--ink-2)"
              strokeWidth={k === 0 ? 1.75 : 1.25}
              strokeDasharray={DASHES[k - 1]}
            />
          </svg>
          <TokenText text={word} />
        </span>
      ))}
      {unknown.map((sentence) => (
        <span key={sentence} className="bad">
          {sentence}
        </span>
      ))}
    </p>
  );
}

/** What the small maps above show. */
const StripCaption = ({ view }: { view: View }) => (
  <p className="note" data-testid="strip-caption">
    Small maps: {useThumbnailWords(view)}. <LambdaFinding view={view} />
  </p>
);

/** Where λ is largest, and how far it is from where it began; nothing of models without one. */
function LambdaFinding({ view }: { view: View }) {
  const found = view.models.flatMap(({ slot, model }) => {
    const most = largestLambda(model.blocks);
    return most ? [{ slot, ...most }] : [];
  });
  if (found.length === 0) return null;
  return (
    <span data-testid="lambda-finding">
      λ is largest in{' '}
      {found.map(({ slot, layer, lambda, from }, k) => (
        <span key={slot}>
          {k > 0 && ' and in '}
          <button type="button" className="link" data-export="keep" onClick={() => select({ layer })}>
            layer {layer}
          </button>{' '}
          of <Id slot={slot} small /> ({formatPlain(lambda)}, begun at {formatPlain(from)})
        </span>
      ))}
      .
    </span>
  );
}

export const SignalSection = memo(function SignalSection(props: {
  view: View;
  signals: readonly (Signal | undefined)[];
  lenses: readonly (Lens | undefined)[];
  staleMark: string;
}) {
  const { view, signals, lenses, staleMark } = props;
  const metric = useSelection((s) => s.metric);
  const others = useOtherTargets(view, metric);
  const logAxis = useSelection((s) => s.logAxis);
  const paper = useSelection((s) => s.paper) && metric === 'p';
  const also = useSelection((s) => s.also);
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
      <span className="grow" />
      <Key n={batch?.n} />
    </>
  );
  const more = (
    <>
      {metric !== 'needle_against_context' && <LensSwitch view={view} name="signal" />}
      {info.log && (
        <Segmented
          label="Vertical scale"
          options={AXIS_OPTIONS}
          value={logAxis ? 'log' : 'linear'}
          onChange={(value) => select({ logAxis: value === 'log' })}
        />
      )}
      <Check
        label="as in the paper"
        testId="paper"
        title="Needle probability with the labels of the paper’s figure"
        checked={paper}
        onChange={paperPreset}
      />
      <OthersField view={view} />
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
      more={more}
      moreSet={[paper, info.log && !logAxis, lens === 'tuned', also.length > 0].filter(Boolean).length}
      table={() => signalTable(view, signals, result, lens)}
      canMaximise
      aside={<LayerAside view={view} signals={signals} batch={batch} metric={metric} />}
    >
      <Finding view={view} signals={signals} metric={metric} />
      {!paper && <OthersKey target={view.target} unknown={others.unknown} />}
      <div ref={ref} style={{ minHeight: 330 }}>
        {width > 0 && (
          <>
            {/* The strip is the stop of the Tab key for all of them. */}
            <div data-one-stop>
              <SignalCurve
                view={view}
                axis={axis}
                signals={signals}
                batch={batch}
                metric={metric}
                paper={paper}
                log={info.log && logAxis}
                others={paper ? NO_OTHERS : others.lines}
              />
              {view.models.length > 1 && (wantsDifference || batch?.difference) && (
                <DifferenceCurve
                  view={view}
                  axis={axis}
                  signals={signals}
                  batch={batch}
                  metric={metric}
                  paper={paper}
                />
              )}
              <LayerStrip view={view} axis={axis} lenses={lenses} vocabulary={vocabulary} valueText={valueText} />
            </div>
            <StripCaption view={view} />
          </>
        )}
      </div>
    </Section>
  );
});
