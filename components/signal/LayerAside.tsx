'use client';
import { memo } from 'react';
import type { Signal } from '@/lib/api/readings';
import { formatP, formatPlain, formatRatio, formatSigned, formatValue, type Maybe } from '@/lib/figures/numbers';
import { METRIC_INFO, type Metric } from '../charts/curve';
import { columnOf, layerName } from '../charts/layerAxis';
import { useLensKind, useModels } from '../data/queries';
import { certainFrom, metricOnAxis, snrCandidates } from '../data/series';
import { blockName, type View } from '../data/view';
import { useHover } from '../state/hover';
import { select, useSelection } from '../state/selection';
import { SlotHead, ValueRow } from '../ui/parts';
import type { BatchCurves } from './batchSeries';

const capital = (text: string) => text[0].toUpperCase() + text.slice(1);
const number = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

/** B against A: a ratio for probabilities and shares, a difference for signed quantities. */
function comparison([a, b]: readonly Maybe[], signed: boolean): { name: string; text: string } | undefined {
  if (!number(a) || !number(b)) return undefined;
  return signed ? { name: 'B − A', text: formatSigned(b - a) } : { name: 'B ÷ A', text: formatRatio(b / a) };
}

function lambdaText(lambda: number | null, init: number | null): string {
  if (lambda === null) return '–';
  return init === null ? lambda.toFixed(3) : `${lambda.toFixed(3)} (${init.toFixed(3)})`;
}

/** What a batch says of one layer: means with their intervals, and the paired difference. */
function BatchRows({ batch, column, signed }: { batch: BatchCurves; column: number; signed: boolean }) {
  const estimates = batch.models.map((model) => model?.[column]);
  const texts = (of: 'mean' | 'low' | 'high') => estimates.map((estimate) => formatValue(estimate?.[of], signed));
  const difference = batch.difference?.[column];
  return (
    <>
      <ValueRow kind="rule" name={`mean, n = ${batch.n}`} values={texts('mean')} />
      <ValueRow kind="sub" name="95 % from" values={texts('low')} />
      <ValueRow kind="sub" name="to" values={texts('high')} />
      {difference && (
        <>
          <ValueRow kind="rule" name="B − A, paired mean" values={['', formatSigned(difference.mean)]} />
          <ValueRow kind="sub" name="95 % from" values={['', formatSigned(difference.low)]} />
          <ValueRow kind="sub" name="to" values={['', formatSigned(difference.high)]} />
          <ValueRow kind="sub" name="p, two-sided" values={['', formatP(difference.p)]} />
        </>
      )}
    </>
  );
}

/** How well each model's tuned lens does here on text that it was not fitted to, and what is wrong with it. */
function LensFit({ view, layer }: { view: View; layer: number }) {
  const { data } = useModels();
  const fits = view.models.map(({ name, model }) => {
    if (layer < 0 || layer >= model.blocks.length) return undefined;
    return data?.models.find((one) => one.name === name)?.heldOut?.layers[layer] ?? null;
  });
  if (fits.every((fit) => fit === undefined)) return null;
  const texts = (of: 'kl' | 'logit_lens_kl') =>
    fits.map((fit) => (fit ? formatPlain(fit[of]) : fit === null ? 'not recorded' : '–'));
  const faults = view.models.flatMap(({ slot }, k) => (fits[k]?.fault ? [`${slot}: ${fits[k].fault}`] : []));
  return (
    <>
      <table className="values" data-testid="lens-fit">
        <SlotHead caption="Tuned lens on held-out text" slots={view.models.map(({ slot }) => slot)} />
        <tbody>
          <ValueRow name="KL to the output, nats" values={texts('kl')} />
          <ValueRow kind="sub" name="of the logit lens" values={texts('logit_lens_kl')} />
        </tbody>
      </table>
      {faults.length > 0 && <p className="note">Not fitted in this layer: {faults.join('; ')}.</p>}
    </>
  );
}

/** Exact values of the layer under the pointer, else of the selected one. */
export const LayerAside = memo(function LayerAside(props: {
  view: View;
  signals: readonly (Signal | undefined)[];
  batch: BatchCurves | undefined;
  metric: Metric;
}) {
  const { view, signals, batch, metric } = props;
  const paper = useSelection((s) => s.paper);
  const { kind: lens, choice } = useLensKind(view.models);
  const hovered = useHover((s) => s.layer);
  const layer = hovered ?? view.layer;
  const info = METRIC_INFO[metric];
  const slots = view.models.map(({ slot }) => slot);
  const values = signals.map((signal) => (signal ? metricOnAxis(signal, metric, view.layers)[layer + 1] : undefined));
  const compared = comparison(values, info.signed);
  const blocks = view.models.map(({ model }) => (layer >= 0 && layer < view.layers ? model.blocks[layer] : undefined));
  const certain = metric === 'p' && !batch ? certainFrom(signals, view.layers) : undefined;
  const known = signals.find((signal) => signal !== undefined);
  const computed = signals.some((signal) =>
    signal?.entries.some((entry) => columnOf(entry, view.layers) === layer + 1),
  );
  return (
    <aside aria-label="Selected layer">
      <div className="block">
        <h3>
          {capital(layerName(layer, view.layers))}{' '}
          <em>{hovered !== undefined && hovered !== view.layer ? 'under the pointer' : 'selected'}</em>
        </h3>
        {values.some(number) ? (
          <table className="values">
            <SlotHead caption={info.name} slots={slots} />
            <tbody>
              <ValueRow name="this prompt" values={values.map((value) => formatValue(value, info.signed))} />
              {compared && <ValueRow kind="sub" name={compared.name} values={['', compared.text]} />}
              {batch && <BatchRows batch={batch} column={layer + 1} signed={info.signed} />}
            </tbody>
          </table>
        ) : (
          <p className="note">{computed ? `${info.name} is not defined here.` : 'Not computed.'}</p>
        )}
        {blocks.some(Boolean) && (
          <table className="values">
            {values.some(number) ? null : <SlotHead slots={slots} />}
            <tbody>
              <ValueRow name="block" values={blocks.map((block) => (block ? blockName(block) : '–'))} />
              <ValueRow
                name={
                  <>
                    λ (λ<sub>init</sub>)
                  </>
                }
                values={blocks.map((block) => (block ? lambdaText(block.lambda, block.lambdaInit) : '–'))}
              />
            </tbody>
          </table>
        )}
      </div>
      <div className="block">
        <p className="note">
          <b style={{ fontWeight: 600, color: 'var(--ink-2)' }}>{info.name}.</b> {info.definition}
          {metric !== 'needle_against_context' && (lens === 'tuned' ? ' Tuned lens.' : ' Logit lens.')}
          {paper &&
            ' As in the paper’s figure: label k is the output of block k counted from 0, the last label the model’s output; embedding and block 0 are not shown. Values are fractions.'}
          {paper &&
            (lens === 'tuned'
              ? ' The paper reads through tuned lenses, too.'
              : choice
                ? ' The paper reads through tuned lenses; this is the logit lens.'
                : ' The paper reads through tuned lenses, which not every model here has: this is the logit lens.')}
          {metric === 'snr' &&
            known &&
            (snrCandidates(known) === 'answers'
              ? ' Candidates: the example’s answer set.'
              : ' Candidates: the whole vocabulary.')}
        </p>
        {lens === 'tuned' && metric !== 'needle_against_context' && <LensFit view={view} layer={layer} />}
        {certain !== undefined && (
          <p className="note" data-testid="certain">
            The answer is all but certain from layer {certain} on.{' '}
            <button type="button" className="link" onClick={() => select({ metric: 'target_log_odds' })}>
              Log-odds
            </button>{' '}
            tell the layers apart.
          </p>
        )}
      </div>
    </aside>
  );
});
