'use client';
import { type ReactNode, useState } from 'react';
import { ApiError } from '@/lib/api/client';
import type { Run, RunModel } from '@/lib/api/schemas';
import { useForecast } from '../data/forecast';
import { useHealth, useModels } from '../data/queries';
import { troubleOf } from '../data/runWords';
import type { View } from '../data/view';
import { requestOf } from '../state/request';
import { resumeRun, startRun, useRun } from '../state/run';
import { useSelection } from '../state/selection';

function RunAgain({ label = 'Run again' }: { label?: string }) {
  const again = () => {
    const request = requestOf(useSelection.getState());
    if (typeof request !== 'string') void startRun(request);
  };
  return (
    <button type="button" className="button low" onClick={again}>
      {label}
    </button>
  );
}

/** Goes on where the run stopped; nothing that is finished is computed again. */
function Resume({ run }: { run: Run }) {
  if (!run.available) return null;
  const open = run.models.find(({ mapsReady, blocks }) => mapsReady < blocks.length);
  const where = !open
    ? 'the lens'
    : open === run.models[0]
      ? `layer ${open.mapsReady}`
      : `layer ${open.mapsReady} of B`;
  return (
    <button type="button" className="button low" data-testid="resume" onClick={() => void resumeRun()}>
      Resume from {where}
    </button>
  );
}

function CopyDetails({ details }: { details: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      className="button low"
      onClick={() =>
        navigator.clipboard.writeText(details).then(
          () => setCopied(true),
          () => setCopied(false),
        )
      }
    >
      {copied ? 'Copied' : 'Copy details'}
    </button>
  );
}

const Banner = ({ error, children, actions }: { error?: boolean; children: ReactNode; actions?: ReactNode }) => (
  <div
    className={error ? 'banner error' : 'banner'}
    role={error ? 'alert' : 'status'}
    data-testid={error ? 'error-banner' : 'banner'}
  >
    <span className="grow">{children}</span>
    {actions}
  </div>
);

/** What is finished and still valid, model by model. */
function finished(view: View): string {
  return view.models
    .map(({ slot, model, layers }) =>
      model.mapsReady >= layers
        ? `${slot} is complete`
        : model.mapsReady === 0
          ? `${slot} has no layer`
          : `${slot} is exact for layers 0–${model.mapsReady - 1}`,
    )
    .join(', ');
}

/** What happened to the run, where it was not simply done. */
export function Banners({ view }: { view: View | undefined }) {
  const { run, failure } = useRun();
  const { refusal } = useForecast();
  const canRun = useSelection((selection) => typeof requestOf(selection) !== 'string');
  const { data: models, error: unlisted } = useModels();
  if (failure)
    return (
      <Banner
        error
        actions={
          <>
            <CopyDetails details={[failure.message, failure.hint].filter(Boolean).join('\n')} />
            {canRun && <RunAgain label="Run this prompt" />}
          </>
        }
      >
        <b>{failure.message}</b> {failure.hint}
      </Banner>
    );
  if (unlisted && !models)
    return (
      <Banner error>
        <b>The models cannot be listed: {unlisted.message}</b> {unlisted instanceof ApiError && unlisted.hint}
      </Banner>
    );
  if (refusal)
    return (
      <Banner error>
        <b>{refusal.message}</b> {refusal.hint}
      </Banner>
    );
  if (!run) return null;
  const onward = (
    <>
      <Resume run={run} />
      <RunAgain />
    </>
  );
  const broken = run.models.filter((model) => model.error);
  if (run.state === 'error' || broken.length > 0) {
    const what = broken.map((model) => `${model.name}: ${model.error}`).join(' ') || run.error || 'The run stopped.';
    const details = `run ${run.id}\n${run.error ?? ''}\n${broken.map((model) => `${model.name}: ${model.error}`).join('\n')}`;
    return (
      <Banner
        error
        actions={
          <>
            <CopyDetails details={details} />
            {onward}
          </>
        }
      >
        <b>{what}</b> {view && `What is still valid: ${finished(view)}.`}
      </Banner>
    );
  }
  if (run.state === 'cancelled')
    return (
      <Banner actions={onward}>
        <b>Cancelled.</b> {view ? `${finished(view)}; the rest is left blank.` : 'Nothing was computed.'}
      </Banner>
    );
  if (run.state === 'interrupted')
    return (
      <Banner actions={onward}>
        <b>The server ended before this run did.</b>{' '}
        {run.available && view ? `${finished(view)}; the rest is left blank.` : 'Its question is still here.'}
      </Banner>
    );
  if (!run.available)
    return (
      <Banner actions={<RunAgain />}>
        <b>This run’s activations were released.</b> What the page has loaded stays; other layers and positions need a
        new run.
      </Banner>
    );
  if (view?.stale)
    return (
      <Banner actions={<RunAgain label="Run" />}>
        <b>The inputs changed after this run.</b> The figures below are from the previous prompt.
      </Banner>
    );
  return null;
}

/** Said of a model that is read with another tokenizer than its own. */
function otherTokens({ tokenizer }: Pick<RunModel, 'tokenizer'>): string[] {
  if (tokenizer?.source === 'fallback')
    return [`no tokenizer of its own is in the folder, so the text is cut into the tokens of ${tokenizer.name}.`];
  return tokenizer?.source === 'chosen' ? [`the text is cut into the tokens of ${tokenizer.name}, as chosen.`] : [];
}

/** What is to be known of the models' files, each sentence once with the models that it is about. */
export function modelNotes(
  models: readonly Pick<RunModel, 'name' | 'warnings' | 'tokenizer'>[],
): { readonly names: readonly string[]; readonly text: string }[] {
  const notes = new Map<string, Set<string>>();
  for (const model of models)
    for (const text of [...(model.warnings ?? []), ...otherTokens(model)])
      notes.set(text, (notes.get(text) ?? new Set()).add(model.name));
  return [...notes].map(([text, names]) => ({ names: [...names], text }));
}

/** What of the models' files is not used as they say, and whose tokens are shown, beside every reading of the run. */
export function ModelWarnings() {
  const run = useRun((s) => s.run);
  return modelNotes(run?.models ?? []).map(({ names, text }) => (
    <p key={text} className="note caution model-note" role="status" data-testid="model-warning">
      <b>{names.join(', ')}</b>: {text}
    </p>
  ));
}

/** A quiet word where runs are not kept, or not yet. */
export function ArchiveNotice() {
  const { data } = useHealth();
  if (!data?.archive.message) return null;
  return (
    <p className="note archive" role="status" data-testid="archive-notice">
      {troubleOf(data.archive)} <a href="/runs">Runs</a>
    </p>
  );
}
