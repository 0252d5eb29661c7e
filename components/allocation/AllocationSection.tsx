'use client';
import { memo, useMemo, useState } from 'react';
import { formatPlain, formatSigned } from '@/lib/figures/numbers';
import { intervalsText } from '@/lib/vocabulary';
import { allocationTable, type Found, headline, MEASURE_INFO, MEASURES, PART_NAMES, PARTS } from '../charts/allocation';
import { layerAxis } from '../charts/layerAxis';
import { useUnknownWords } from '../data/queries';
import { hasDiff, type View } from '../data/view';
import { fileName } from '../export/captions';
import { save } from '../export/files';
import { ownPrompts } from '../state/batch';
import { cancelJob, isJobBusy } from '../state/jobs';
import { Choice } from '../ui/Choice';
import { ClassLegend } from '../ui/ClassLegend';
import { Convention } from '../ui/Convention';
import { JobStatus } from '../ui/JobStatus';
import { LayerFigures } from '../ui/LayerFigures';
import { LinesEditor } from '../ui/LinesEditor';
import { useNarrow, useWidth } from '../ui/measure';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { useSteady } from '../ui/steady';
import { AllocationAside } from './AllocationAside';
import { AllocationCurve, AllocationStacks } from './AllocationFigure';
import { Finding } from './Finding';
import { BATCH, useAllocationBatch, useOwnPrompt } from './measured';
import { setAllocation, useAllocation } from './settings';

const MEASURE_OPTIONS = MEASURES.map((value) => ({
  value,
  label: MEASURE_INFO[value].label,
  testId: `allocation-${value}`,
}));
const PART_OPTIONS = PARTS.map((value) => ({ value, label: PART_NAMES[value], testId: `allocation-${value}` }));
const STORIES = ['25', '100', '400'].map((value) => ({ value, label: `${value} stories` }));

/** What every layer reads at the read-out, by class of token, of all models by one ruler: for this prompt or over a batch. */
export const AllocationSection = memo(function AllocationSection(props: {
  view: View;
  targets: readonly (number | undefined)[];
  /** The wrong answer that logits are differences to. */
  foil: string;
  staleMark: string;
}) {
  const { view, targets, foil, staleMark } = props;
  const measure = useAllocation((s) => s.measure);
  const part = useAllocation((s) => s.part);
  const [stories, setStories] = useState('100');
  const [editing, setEditing] = useState(false);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const wrong = foil.trim() === view.target.trim() ? '' : foil;
  const own = useOwnPrompt(view, targets, wrong);
  const asked = view.models.flatMap(({ name, target }) => [
    ['The target', name, target] as const,
    ['The foil of Causal tests', name, wrong] as const,
  ]);
  const unknown = useUnknownWords(asked.map(([, name, word]) => [name, word]));
  const batch = useAllocationBatch(view);
  const { job, result, models: ofBatch } = batch;
  const busy = isJobBusy(job);
  const axis = useMemo(() => layerAxis(width, view.layers, narrow), [width, view.layers, narrow]);
  const layers = useSteady(view.models.map((_, k) => (result ? ofBatch[k]?.layers : own[k].data?.layers)));
  const found = useMemo(
    () => view.models.map(({ slot }, k): Found => ({ slot, layers: layers[k] })),
    [view.models, layers],
  );
  const scores = view.models.flatMap(({ slot }, k) => {
    const score = result ? ofBatch[k]?.answer_logprob?.mean : own[k].data?.answer?.logprob;
    return typeof score === 'number' ? [`${slot} ${formatSigned(score)}`] : [];
  });
  const kind = ownPrompts(batch.examples) ? 'prompts' : 'stories';
  const words = result ? `${result.examples} ${kind}` : 'this prompt';
  const failures = [
    ...new Set([
      job?.failure,
      ...own.map(({ error }) => error?.message),
      ...unknown.map((reason, k) => reason && `${asked[k][0]}: ${reason} Choose another word.`),
    ]),
  ].filter(Boolean);
  const differential = view.models.some(hasDiff);
  const shownPart = differential ? part : 'net';
  const saveNumbers = () => {
    const numbers = result ?? { models: view.models.map(({ name }, k) => ({ model: name, ...own[k].data })) };
    save(new Blob([JSON.stringify(numbers)], { type: 'application/json' }), `${fileName(view)}-allocation.json`);
  };
  const controls = (
    <>
      <Segmented
        label="Measure"
        options={MEASURE_OPTIONS}
        value={measure}
        onChange={(value) => setAllocation({ measure: value })}
      />
      {differential && (
        <Segmented
          label="Part of differential blocks"
          options={PART_OPTIONS}
          value={part}
          onChange={(value) => setAllocation({ part: value })}
        />
      )}
      <button
        type="button"
        className="button low"
        data-testid="allocation-batch"
        onClick={busy ? () => cancelJob(BATCH) : () => batch.start(`demo:${stories}`)}
      >
        {busy ? 'Cancel' : 'Measure over stories'}
      </button>
      {result && !busy && (
        <button type="button" className="link" onClick={batch.drop}>
          This prompt only
        </button>
      )}
      <JobStatus job={job} shown={Boolean(result)} testId="allocation-status" />
    </>
  );
  const hasNeedle = view.models.some(({ needle }) => needle);
  return (
    <Section
      id="allocation"
      title={
        <>
          Allocation <em>{staleMark}</em>
        </>
      }
      controls={controls}
      more={
        <>
          <Choice
            caption="Held-out"
            label="Stories of the batch"
            value={stories}
            options={STORIES}
            onChange={setStories}
          />
          <button
            type="button"
            className="button low"
            data-testid="allocation-own"
            aria-expanded={editing}
            onClick={() => setEditing(!editing)}
          >
            Own prompts
          </button>
        </>
      }
      table={() => allocationTable(found, measure, shownPart, view.layers)}
      canMaximise
      aside={
        <AllocationAside {...{ view, found, measure, result, words }} part={shownPart} failed={failures.length > 0} />
      }
    >
      {editing && (
        <div className="editor" data-testid="allocation-editor">
          <p className="note">
            One prompt a line, each with its needle, and with classes: {'{"competing": [[s, e]], "question": [[s, e]]}'}
            .
          </p>
          <LinesEditor testId="allocation" busy={busy} given={ownPrompts(batch.examples)} onStart={batch.start}>
            {batch.reopen && (
              <button type="button" className="button low" data-testid="allocation-reopen" onClick={batch.reopen}>
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
      {result?.note && (
        <p className="note" data-testid="allocation-note">
          {result.note}
        </p>
      )}
      {scores.length > 0 && (
        <p className="note" data-testid="allocation-answer">
          ln p of the whole answer: {scores.join(', ')}. What is said in logits is of its first token only.
        </p>
      )}
      {!hasNeedle && !result && (
        <p className="note">Mark the needle in the prompt, the tokens that decide the answer, and run.</p>
      )}
      <Finding {...{ view, found, result }} part={shownPart} />
      <div ref={ref} style={{ minHeight: 360 }}>
        {width > 0 && (
          <LayerFigures
            view={view}
            label="Layer, in the allocation"
            text={`needle / context: ${found.map(({ slot, layers }) => `${slot} ${formatPlain(headline(layers, shownPart, view.layers)[view.layer + 1]?.mean)}`).join(', ')}`}
            testId="allocation-figures"
          >
            <AllocationStacks {...{ view, found, measure, axis }} part={shownPart} />
            <AllocationCurve {...{ view, found, axis }} part={shownPart} />
          </LayerFigures>
        )}
      </div>
      {!result && <ClassLegend classes={view.models[0].classes} testId="class" />}
      {found.some(({ layers }) => layers) && (
        <p className="row">
          <button type="button" className="link" data-testid="allocation-json" onClick={saveNumbers}>
            Numbers as JSON
          </button>
          {result && job && !busy && (
            <a className="link" href={`/api/analyses/${job.id}/tensors`} download="allocation.safetensors">
              as safetensors
            </a>
          )}
        </p>
      )}
      <Convention
        plain={
          <>
            {result && (
              <b>
                Means over {words}
                {result.intervals ? `: ${intervalsText(result.intervals)}` : ''}.{' '}
              </b>
            )}
            Bars: what each class of tokens brings to what the layer reads. Lower figure: the needle against all that
            the story says; dashed, its part if every token were read alike.
          </>
        }
      >
        <b>{MEASURE_INFO[measure].label}.</b> {MEASURE_INFO[measure].definition} Each block is taken as the exact
        operator on its input, read at the read-out.{' '}
        {differential && `Differential blocks: ${PART_NAMES[part]}; plain ones have one part. `}
        Lower figure: the needle against needle, competing, first and filler.
      </Convention>
    </Section>
  );
});
