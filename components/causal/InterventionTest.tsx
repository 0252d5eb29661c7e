'use client';
import { memo, useEffect, useMemo } from 'react';
import { formatForecast } from '@/lib/vocabulary';
import type { Metric } from '../charts/curve';
import { layerName } from '../charts/layerAxis';
import { type DataTable, tableOf } from '../charts/table';
import { useAnswerIds, useSignals, useTargetIds } from '../data/queries';
import { isDiff, type View } from '../data/view';
import { ownPrompts, useBatch } from '../state/batch';
import { dropJob, isJobBusy, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { useSelection } from '../state/selection';
import { LayerFigures } from '../ui/LayerFigures';
import { useSteady } from '../ui/steady';
import { ChangeCurve, changedText } from './ChangeCurve';
import { InterventionAside } from './InterventionAside';
import { LambdaDose } from './LambdaDose';
import { lambdaTop } from './lambdaRange';
import { OverExamples } from './OverExamples';
import { MethodChoice, NormsChoice, NormsNote, referenceNote } from './parts';
import { interventionRequest, otherPrompts } from './requests';
import { type ResultOf, resultOf } from './results';
import { HeadSwitches, Switches } from './Switches';
import { changesOf, isChanged, jobName, restoreModels, setLambda, useCausal } from './settings';
import { type TestProps, TestSection } from './TestSection';
import { useFoil } from './usePair';

/** The models run again once a control has rested for so long. */
const QUIET_MS = 200;
/** Runs every changed model again, a moment after the last change; what runs for an earlier one is cancelled. */
function useLiveRuns(view: View, foil: string): readonly (ResultOf<'intervene'> | undefined)[] {
  const changes = useCausal((s) => s.changes);
  const method = useCausal((s) => s.method);
  const examples = useBatch((s) => s.examples);
  const others = useMemo(() => otherPrompts(ownPrompts(examples)), [examples]);
  const names = view.models.map(({ slot }) => jobName('intervene', slot));
  useEffect(() => {
    const timer = setTimeout(() => {
      for (const model of view.models) {
        const name = jobName('intervene', model.slot);
        const own = changes[model.name];
        const request = own && interventionRequest(view, model, own, method, foil, others);
        const job = useJobs.getState().jobs[name];
        if (!request) dropJob(name);
        else if (!job || job.state === 'cancelled' || !sameRequest(job.request, request))
          void startJob(name, request, true);
      }
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [view, changes, method, foil, others]);
  const jobs = useJobsOf(names);
  return useMemo(() => jobs.map((job) => resultOf(job, 'intervene')), [jobs]);
}

/** λ of all layers of all models at once. */
function AllLambdas({ view }: { view: View }) {
  const models = view.models.filter(({ model }) => model.blocks.some(isDiff));
  const all = models.flatMap(({ model }) => model.blocks.map(({ lambda }) => lambda));
  const known = all.filter((value): value is number => value !== null);
  const first = models[0];
  const set = useCausal((s) => (first ? changesOf(s, first.name).lambdas : undefined));
  if (!first || known.length === 0) return null;
  const layersOf = (blocks: readonly { lambda: number | null }[]) =>
    blocks.flatMap(({ lambda }, layer) => (lambda === null ? [] : [layer]));
  const firsts = layersOf(first.model.blocks).map((layer) => set?.[layer]);
  const common = firsts.every((value) => value !== undefined && value === firsts[0]) ? firsts[0] : undefined;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return (
    <label className="control">
      <span className="caption">λ of all layers</span>
      <input
        type="range"
        className="lambda-all"
        min={0}
        max={lambdaTop(all)}
        step={0.01}
        value={common ?? mean}
        data-testid="lambda-all"
        onChange={({ target }) => {
          for (const { name, model } of models) setLambda(name, layersOf(model.blocks), Number(target.value));
        }}
      />
      <span className="note mono" style={{ minWidth: 32 }}>
        {common === undefined ? 'own' : common.toFixed(2)}
      </span>
    </label>
  );
}

const RUNS = { base: 'unchanged', changed: 'changed', frozen_norms: 'changed, norms frozen' } as const;

function tableFor(view: View, found: readonly (ResultOf<'intervene'> | undefined)[]): DataTable {
  const layers = Array.from({ length: view.layers + 1 }, (_, layer) => layer);
  const measures = ['target_prob', 'target_log_odds', 'margin', 'margin_std', 'snr_candidates', 'snr_vocab'] as const;
  const columns = view.models.flatMap(({ slot }, k) =>
    measures.flatMap((measure) =>
      (['base', 'changed', 'frozen_norms'] as const).map((which) => ({
        name: `${measure} ${slot}, ${RUNS[which]}`,
        values: layers.map((layer) =>
          layer === view.layers ? found[k]?.[which]?.[measure] : found[k]?.layers[layer]?.[which]?.[measure],
        ),
      })),
    ),
  );
  const names = layers.map((layer) => layerName(layer, view.layers));
  return tableOf('Lens at the read-out, unchanged and changed', [{ name: 'layer', values: names }], columns);
}

/** Blocks, branches and heads that are switched off, λ that are set: the models run again at every change. */
export const InterventionTest = memo(function InterventionTest({ view, axis, staleMark, measure }: TestProps) {
  const foil = useFoil(view);
  const norms = useCausal((s) => s.norms);
  const changed = useCausal((s) => view.models.some(({ name }) => isChanged(changesOf(s, name))));
  const shown = useSelection((s) => s.metric);
  const logAxis = useSelection((s) => s.logAxis);
  const metric: Metric = shown === 'needle_against_context' ? 'p' : shown;
  const found = useLiveRuns(view, foil);
  const signals = useSteady(useSignals(view, useTargetIds(view), 'logit').map(({ data }) => data));
  const foilIds = useAnswerIds(view.models.map(({ name }) => [name, foil]));
  const foils = useSteady(useSignals(view, foilIds, 'logit').map(({ data }) => data));
  const jobs = useJobsOf(view.models.map(({ slot }) => jobName('intervene', slot)));
  const busy = jobs.some(isJobBusy);
  const failures = [...new Set(jobs.flatMap((job) => (job?.failure ? [job.failure] : [])))];
  const passMs = Math.max(...view.models.map(({ model }) => model.forwardMs ?? Number.NaN));
  const again = Number.isFinite(passMs) ? `, ${formatForecast(passMs / 1000)} each time` : '';
  const controls = (
    <>
      <MethodChoice caption="What is off becomes" />
      <AllLambdas view={view} />
      <NormsChoice />
      <button
        type="button"
        className="button low"
        data-testid="causal-restore"
        disabled={!changed}
        onClick={restoreModels}
      >
        Restore the models
      </button>
    </>
  );
  return (
    <TestSection
      staleMark={staleMark}
      controls={controls}
      table={found.some((each) => each?.changed) ? () => tableFor(view, found) : undefined}
      aside={<InterventionAside view={view} found={found} signals={signals} foils={foils} />}
    >
      <p
        className="note"
        role="status"
        data-testid="causal-status"
        data-state={busy ? 'busy' : found.some((each) => each?.changed) ? 'shown' : 'idle'}
      >
        {busy ? (
          'The changed models run.'
        ) : changed ? (
          <>
            Thin: unchanged. Thick: with the changes{norms === 'frozen' && ' and norms frozen'}.{' '}
            <span className="screen-only">The keys 1, 2 and 3 choose the measure.</span>
          </>
        ) : (
          `Switch a part off, or move a λ: the model runs again at once${again}.`
        )}
      </p>
      {failures.map((failure) => (
        <p key={failure} className="note bad" role="alert">
          {failure}
        </p>
      ))}
      <div ref={measure} style={{ minHeight: 240 }}>
        {axis && (
          <>
            <LayerFigures
              view={view}
              label="Layer, in the changed models"
              text={view.models
                .map(({ slot }, k) => `${slot} ${changedText(found[k], view.layer, metric, norms)}`)
                .join(', ')}
              testId="change-figures"
            >
              <ChangeCurve
                view={view}
                axis={axis}
                found={found}
                signals={signals}
                metric={metric}
                norms={norms}
                log={metric === 'p' && logAxis}
              />
            </LayerFigures>
            {view.models.map((model) => (
              <div key={model.slot}>
                <Switches model={model} axis={axis} layer={view.layer} />
                <HeadSwitches model={model} layer={view.layer} />
              </div>
            ))}
            <LambdaDose view={view} axis={axis} foil={foil} />
          </>
        )}
      </div>
      <OverExamples view={view} test="ablate" />
      <p className="convention">
        <b>Changes act together</b>, at every token of the prompt. The curve is the logit lens at position{' '}
        {view.position} by layer, “out” the model’s answer. A branch is what it brings to the subtraction, a head its
        part of the gated scan output. {referenceNote(found)} <NormsNote /> The tick beside a slider is the model’s own
        λ<span className="screen-only">; a double click returns to it</span>.
      </p>
    </TestSection>
  );
});
