'use client';
import { memo, useMemo, useState } from 'react';
import { layerAxis } from '../charts/layerAxis';
import { hasDiff, type View } from '../data/view';
import { ownPrompts } from '../state/batch';
import { clearHover, hover, useHover } from '../state/hover';
import { cancelJob, isJobBusy, useJobsOf } from '../state/jobs';
import { select } from '../state/selection';
import { Choice } from '../ui/Choice';
import { HitArea } from '../ui/HitArea';
import { LinesEditor } from '../ui/LinesEditor';
import { useNarrow, useWidth } from '../ui/measure';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { CancellationAside } from './CancellationAside';
import { batchName, isOwn, singleName, useBatches, useOwnPrompt } from './measured';
import { BARS_HEIGHT, barScale, ShareBars } from './ShareBars';
import { ShareCurves } from './ShareCurves';
import { SourceTable } from './SourceTable';
import { setCancellation, useCancellation } from './settings';
import { barsOf, cancellationTable } from './shares';

const FORMS = [
  { value: 'norm', label: 'norm', testId: 'cancellation-norm' },
  { value: 'logit', label: 'logit', testId: 'cancellation-logit' },
] as const;
const QUANTITIES = [
  { value: 'share', label: 'share', testId: 'cancellation-share' },
  { value: 'mass', label: 'magnitude', testId: 'cancellation-mass' },
] as const;
const STORIES = ['25', '100', '400'].map((value) => ({ value, label: `${value} stories` }));

/** Lines at the selected and the hovered layer. Only this is redrawn on hover. */
function LayerLines({ x, width, layer }: { x: (layer: number) => number; width: number; layer: number }) {
  const hovered = useHover((s) => s.layer);
  return (
    <svg
      className="layer overlay"
      width={width}
      height={BARS_HEIGHT}
      aria-hidden="true"
      data-hover-layer={hovered ?? ''}
    >
      <line className="hovered" x1={x(layer)} x2={x(layer)} y1="20" y2={BARS_HEIGHT - 18} strokeOpacity=".5" />
      {hovered !== undefined && hovered !== layer && (
        <line className="hovered" x1={x(hovered)} x2={x(hovered)} y1="20" y2={BARS_HEIGHT - 18} strokeDasharray="2 2" />
      )}
    </svg>
  );
}

/** What the second branch takes away from the first: needle against noise by layer, for this prompt or over stories. */
export const CancellationSection = memo(function CancellationSection({
  view,
  foil,
  staleMark,
}: {
  view: View;
  /** The wrong answer of all causal tests. */
  foil: string;
  staleMark: string;
}) {
  const form = useCancellation((s) => s.form);
  const quantity = useCancellation((s) => s.quantity);
  const [stories, setStories] = useState('100');
  const [editing, setEditing] = useState(false);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const models = useMemo(() => view.models.filter(hasDiff), [view.models]);
  const single = useOwnPrompt(view, models, foil);
  const batch = useBatches(models);
  const { jobs: batchJobs, batches } = batch;
  const busy = batchJobs.some(isJobBusy);
  const jobs = [...useJobsOf(models.map(singleName)), ...batchJobs];
  const failures = [...new Set(jobs.flatMap((job) => (job?.failure ? [job.failure] : [])))];
  const axis = useMemo(() => layerAxis(width, view.layers, narrow), [width, view.layers, narrow]);
  const bars = useMemo(() => single.map((found) => barsOf(found, form, quantity)), [single, form, quantity]);
  const scale = useMemo(() => barScale(bars.flat(), quantity), [bars, quantity]);
  if (models.length === 0) return null;
  const ofBatch = batches.some(Boolean);
  const words = batchJobs.some((job) => job && isOwn(job)) ? 'prompts' : 'stories';
  const progress = batchJobs.find(isJobBusy)?.progress;
  const cancelBatches = () => {
    for (const model of models) cancelJob(batchName(model));
  };
  const controls = (
    <>
      <Segmented label="Form" options={FORMS} value={form} onChange={(value) => setCancellation({ form: value })} />
      {!ofBatch && (
        <Segmented
          label="Quantity"
          options={QUANTITIES}
          value={quantity}
          onChange={(value) => setCancellation({ quantity: value })}
        />
      )}
      <Choice caption="Held-out" label="Stories of the batch" value={stories} options={STORIES} onChange={setStories} />
      <button
        type="button"
        className="button low"
        data-testid="cancellation-batch"
        onClick={busy ? cancelBatches : () => batch.start(`demo:${stories}`)}
      >
        {busy ? 'Cancel' : 'Measure over stories'}
      </button>
      <button
        type="button"
        className="button low"
        data-testid="cancellation-own"
        aria-expanded={editing}
        onClick={() => setEditing(!editing)}
      >
        Own prompts
      </button>
      {ofBatch && !busy && (
        <button type="button" className="link" onClick={batch.drop}>
          This prompt only
        </button>
      )}
      <span
        className="note"
        role="status"
        data-testid="cancellation-status"
        data-state={busy ? 'busy' : ofBatch ? 'shown' : 'idle'}
      >
        {busy ? (progress ? `step ${progress.done} of ${progress.total}` : 'Waits for its turn.') : ''}
      </span>
    </>
  );
  const hasNeedle = models.some(({ needle }) => needle);
  return (
    <Section
      id="cancellation"
      title={
        <>
          Cancellation <em>{staleMark}</em>
        </>
      }
      controls={controls}
      table={() =>
        cancellationTable(
          models.map(({ slot }, k) => ({ slot, single: single[k], batch: batches[k] })),
          form,
          view.layers,
        )
      }
      canMaximise
      aside={
        <CancellationAside view={view} models={models} single={single} batches={batches} words={words} form={form} />
      }
    >
      {editing && (
        <div className="editor" data-testid="cancellation-editor">
          <p className="note">One prompt a line, each with its needle: means over all of them, by layer.</p>
          <LinesEditor testId="cancellation" busy={busy} given={ownPrompts(batch.examples)} onStart={batch.start}>
            {batch.reopen && (
              <button type="button" className="button low" data-testid="cancellation-reopen" onClick={batch.reopen}>
                Open the last batch of this run
              </button>
            )}
            <button type="button" className="button low" onClick={() => setEditing(false)}>
              Close
            </button>
          </LinesEditor>
        </div>
      )}
      {failures.map((failure) => (
        <p key={failure} className="note bad" role="alert">
          {failure}
        </p>
      ))}
      {!hasNeedle && !ofBatch && (
        <p className="note">
          Mark the needle in the prompt, the tokens that hold the answer, and run: the rest is noise.
        </p>
      )}
      <div ref={ref} style={{ minHeight: models.length * BARS_HEIGHT, display: 'grid', gap: 8 }}>
        {width > 0 &&
          models.map((model, k) => {
            const batch = batches[k];
            return (
              <div
                key={model.slot}
                className="figure"
                role="img"
                aria-label={`Needle against noise by layer of ${model.slot}, ${form} form${batch ? `, ${batch.examples} ${words}` : ''}`}
                data-testid={`cancellation-${model.slot}`}
                style={{ height: BARS_HEIGHT }}
              >
                {batch ? (
                  <ShareCurves model={model} batch={batch} form={form} axis={axis} layer={view.layer} />
                ) : (
                  <ShareBars
                    model={model}
                    bars={bars[k]}
                    axis={axis}
                    scale={scale}
                    layer={view.layer}
                    title={quantity === 'share' ? 'share' : form === 'logit' ? '|logits|' : 'norm'}
                  />
                )}
                <LayerLines x={axis.x} width={axis.width} layer={view.layer} />
                <HitArea
                  style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height: BARS_HEIGHT }}
                  onPoint={(x) => hover({ origin: 'curve', layer: axis.at(x + axis.gutter) })}
                  onLeave={clearHover}
                  onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), axis.layers - 1) })}
                />
              </div>
            );
          })}
      </div>
      {models.map((model, k) => (
        <SourceTable key={model.slot} model={model} single={single[k]} layer={view.layer} form={form} />
      ))}
      <p className="convention">
        <b>{ofBatch ? `Mean over ${words} with bootstrap 95 % interval` : 'Filled: needle. Outlined: noise'}.</b> What
        every source token up to the read-out brings through mixer 1, λ·mixer 2 and their difference, with the block as
        an exact operator on its input;{' '}
        {form === 'norm'
          ? 'norm of what it adds to the residual stream.'
          : 'magnitude of what it adds to the answer’s logit against the other candidates.'}{' '}
        {ofBatch && 'Dashed: mixer 1. Dotted: λ·mixer 2. Solid: difference. '}
        Removed is 1 − difference ÷ mixer 1, negative where the subtraction adds.
      </p>
    </Section>
  );
});
