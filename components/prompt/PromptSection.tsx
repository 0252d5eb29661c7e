'use client';
import { lazy, memo, Suspense, useMemo, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { Token } from '@/lib/api/schemas';
import { visible } from '../charts/tokens';
import { useMapWords } from '../data/mapWords';
import { useExamples, useModels, useTokens } from '../data/queries';
import { useShownMaps } from '../data/shownMaps';
import type { View } from '../data/view';
import { openBatch, useBatch } from '../state/batch';
import { editPrompt, foundCompeting, isFound, loadExample } from '../state/edit';
import { type ModelSlot, select, useSelection } from '../state/selection';
import { ClassLegend } from '../ui/ClassLegend';
import { Control } from '../ui/Control';
import { Id, TokenText } from '../ui/parts';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { Select } from '../ui/Select';
import { ReadoutAside, type ReadoutFacts } from './ReadoutAside';
import { type ClickSets, TokenChips } from './TokenChips';

const BatchEditor = lazy(() => import('./BatchEditor').then(({ BatchEditor: editor }) => ({ default: editor })));

const CLICK_SETS = [
  { value: 'position', label: 'position' },
  { value: 'needle', label: 'needle span' },
  { value: 'competing', label: 'competing', testId: 'click-competing' },
  { value: 'question', label: 'question', testId: 'click-question' },
  { value: 'target', label: 'target' },
] as const;

const PAINT_OFF: { value: ModelSlot | ''; label: string; testId: string } = {
  value: '',
  label: 'off',
  testId: 'paint-off',
};
const NO_TOKENS: readonly Token[] = [];

function ExampleMenu() {
  const { data } = useExamples();
  const { data: models } = useModels();
  const exampleId = useSelection((s) => s.exampleId);
  return (
    <Control tool>
      <Select
        label="Example prompt"
        testId="example-select"
        value={exampleId}
        options={[
          ...(data?.examples ?? []).map(({ id, title }) => ({ value: id, label: title })),
          { value: '', label: 'Own text' },
        ]}
        onChange={(id) => {
          const chosen = data?.examples.find((example) => example.id === id);
          if (chosen && data) loadExample(chosen, models && { ...data, ...models });
          else select({ exampleId: '' });
        }}
      />
    </Control>
  );
}

function Editor({ onClose }: { onClose: () => void }) {
  const prompt = useSelection((s) => s.prompt);
  const [draft, setDraft] = useState(prompt);
  const apply = () => {
    editPrompt(useSelection.getState(), draft);
    onClose();
  };
  return (
    <div className="editor">
      <textarea
        aria-label="Prompt text"
        data-testid="prompt-text"
        value={draft}
        spellCheck={false}
        // biome-ignore lint/a11y/noAutofocus: the field opens on request of the person who will type in it.
        autoFocus
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onClose();
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) apply();
        }}
      />
      <div className="row">
        <button type="button" className="button low primary" data-testid="prompt-apply" onClick={apply}>
          Use this text
        </button>
        <button type="button" className="button low" onClick={onClose}>
          Discard
        </button>
        <span className="note">The needle follows its words; the read-out becomes the last token.</span>
      </div>
    </div>
  );
}

const NAMED_WORDS = 6;

/** What the model does not read as it was written. */
function UnknownWords({ tokens, prompt, model }: { tokens: readonly Token[]; prompt: string; model: string }) {
  const lacking = tokens.filter(({ unknown }) => unknown);
  if (lacking.length === 0) return null;
  const words = [...new Set(lacking.map(({ start, end }) => visible(prompt.slice(start, end))))];
  return (
    <p className="note" role="status" data-testid="unknown-words">
      Not in the vocabulary of {model}, so all of them read as <TokenText text={lacking[0].text} />:{' '}
      {words.slice(0, NAMED_WORDS).join(', ')}
      {words.length > NAMED_WORDS && ` and ${words.length - NAMED_WORDS} more`}.
    </p>
  );
}

/** What competes where it was found by its words, or could be. */
function CompetingNote() {
  const asked = useSelection(
    useShallow(({ prompt, target, candidates, needle, question, competing }) => {
      return { prompt, target, candidates, needle, question, competing };
    }),
  );
  // What an example brings was said by whoever wrote it.
  const given = useSelection((s) => s.exampleId !== '') && asked.competing.length > 0;
  const found = foundCompeting(asked);
  if (given || found.length === 0) return null;
  const sentences = `${found.length} sentence${found.length > 1 ? 's' : ''}`;
  if (isFound(asked))
    return (
      <p className="note" data-testid="competing-found">
        Competing was found: {sentences}, by the name of another candidate. A click that sets “competing” changes it.
      </p>
    );
  return asked.competing.length > 0 ? null : (
    <p className="note">
      {sentences} by the name of another candidate:{' '}
      <button type="button" className="link" data-testid="competing-find" onClick={() => select({ competing: found })}>
        take as competing
      </button>
    </p>
  );
}

/** What the lanes show, once they do. */
function LanesNote({ view }: { view: View }) {
  const { maps, layer } = useShownMaps();
  const words = useMapWords({ ...view, layer });
  if (!maps.some(Boolean)) return null;
  return (
    <>
      Lanes under each token: what position {view.position} reads from it in layer {layer} ({words})
      {view.models.length > 1 && (
        <>
          , <Id slot="A" small /> above <Id slot="B" small />
        </>
      )}
      .{' '}
    </>
  );
}

export const PromptSection = memo(function PromptSection(props: {
  view: View | undefined;
  facts: ReadoutFacts | undefined;
}) {
  const { view, facts } = props;
  const [editing, setEditing] = useState(false);
  const tracks = useSelection((s) => s.tracks);
  const batching = useBatch((s) => s.open);
  const [paint, setPaint] = useState<ModelSlot | ''>('');
  const [clickSets, setClickSets] = useState<ClickSets>('position');
  const model = useSelection((s) => s.modelA);
  const prompt = useSelection((s) => s.prompt);
  const { data: models } = useModels();
  const { data: read = NO_TOKENS, error } = useTokens(model, prompt);
  const current = view && !view.stale ? view : undefined;
  // The end of a run's prompt may be tokens that were generated, which reading the text would not give.
  const tokens = current && prompt === current.run.request.prompt ? current.tokens : read;
  const lanes = useMemo(() => current?.models.map(({ slot }) => slot) ?? [], [current]);
  // Controls of what a run brings stand there before it, so that nothing moves when it comes.
  const pair = useSelection((s) => s.modelB !== '');
  const slots: readonly ModelSlot[] = lanes.length > 0 ? lanes : pair ? ['A', 'B'] : ['A'];
  const vocabulary = models?.models.find(({ name }) => name === model)?.vocab_size;
  const controls = (
    <>
      <ExampleMenu />
      <button
        type="button"
        className="button low"
        data-testid="prompt-edit"
        aria-expanded={editing}
        onClick={() => setEditing(!editing)}
      >
        Edit text
      </button>
      <button
        type="button"
        className="button low"
        data-testid="batch-edit"
        aria-expanded={batching}
        onClick={() => openBatch(!batching)}
      >
        Batch
      </button>
      <Control tool caption="Click sets">
        <Segmented label="A click on a token sets" options={CLICK_SETS} value={clickSets} onChange={setClickSets} />
      </Control>
      <span className="note count">
        {tokens.length} tokens
        {vocabulary ? ` · vocabulary ${vocabulary.toLocaleString('en').replace(/,/g, '\u2009')}` : ''}
      </span>
    </>
  );
  const more = (
    <>
      <label className="checkbox" data-export="tool" title="Δ, half-life, gate and state of the selected layer">
        <input
          type="checkbox"
          data-testid="tracks-toggle"
          checked={tracks}
          disabled={lanes.length === 0}
          onChange={({ target }) => select({ tracks: target.checked })}
        />
        Tracks
      </label>
      <Control tool caption="Paint text" title="Shows on the text itself what a position reads from every token">
        <Segmented
          label="Paint the text with what a position reads"
          options={[PAINT_OFF, ...slots.map((slot) => ({ value: slot, label: slot, testId: `paint-${slot}` }))]}
          value={lanes.includes(paint as ModelSlot) ? paint : ''}
          disabled={lanes.length === 0}
          onChange={setPaint}
        />
      </Control>
    </>
  );
  return (
    <Section
      id="prompt"
      title="Prompt"
      controls={controls}
      more={more}
      moreSet={[tracks, paint !== ''].filter(Boolean).length}
      aside={<ReadoutAside tokens={tokens} view={view} facts={facts} />}
    >
      {editing && <Editor onClose={() => setEditing(false)} />}
      {batching && (
        <Suspense>
          <BatchEditor />
        </Suspense>
      )}
      {error ? (
        <p className="note bad" role="alert">
          {error.message}
        </p>
      ) : (
        <TokenChips tokens={tokens} clickSets={clickSets} lanes={lanes} painted={paint || undefined} />
      )}
      {current && <ClassLegend classes={current.models[0].classes} testId="painted" />}
      {current && <CompetingNote />}
      <UnknownWords tokens={tokens} prompt={prompt} model={model} />
      {tokens.length > 0 && (
        <p className="note" style={{ marginTop: 6 }}>
          {current && <LanesNote view={current} />}
          Bracket: needle. Underlined: token equal to the target. Filled: read-out position. Line below: class of token.
        </p>
      )}
    </Section>
  );
});
