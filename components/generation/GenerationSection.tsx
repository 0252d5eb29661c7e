'use client';
import { memo, useEffect } from 'react';
import { colourTable } from '@/lib/figures/palette';
import { useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { RampBar } from '../ui/RampBar';
import { Section } from '../ui/Section';
import { ChoiceControls } from './ChoiceControls';
import { ContinuationChips } from './ContinuationChips';
import { GeneratedAside } from './GeneratedAside';
import './link';
import { generate, isWorking, partingPlace, setText, stopGenerating, useGeneration } from './state';
import { generationTable } from './table';

function Scale() {
  const table = colourTable(usePalette(), 'sequential');
  return (
    <span className="note scale">
      0
      <RampBar table={table} />
      1&ensp;p(token)
    </span>
  );
}

function TextField() {
  const prompt = useSelection((s) => s.prompt);
  const text = useGeneration((s) => s.text);
  return (
    <div className="editor">
      <textarea
        className="generated-text"
        aria-label="Text to continue"
        data-testid="generation-text"
        spellCheck={false}
        rows={2}
        value={text ?? prompt}
        onChange={({ target: { value } }) => setText(value === prompt ? null : value)}
      />
      {text !== null && (
        <div className="row">
          <button type="button" className="button low" onClick={() => setText(null)}>
            Back to the page’s prompt
          </button>
          <span className="note">
            This text is continued; the figures above keep their prompt until a token is clicked.
          </span>
        </div>
      )}
    </div>
  );
}

/** Both models continue a text; every token can be looked into and analysed. */
export const GenerationSection = memo(function GenerationSection() {
  const continuations = useGeneration((s) => s.continuations);
  const empty = useSelection((s) => s.modelA === '' || s.prompt.trim() === '');
  const working = isWorking(continuations);
  const parting = partingPlace(continuations);
  const wanted = useGeneration((s) => s.wanted);
  useEffect(() => {
    if (wanted) generate();
  }, [wanted]);
  const any = continuations.some(({ tokens }) => tokens.length > 0);
  return (
    <Section
      id="generation"
      title="Generation"
      controls={
        <>
          <ChoiceControls />
          <button
            type="button"
            className={working ? 'button low' : 'button low primary'}
            data-testid="generate"
            disabled={empty && !working}
            onClick={working ? stopGenerating : generate}
          >
            {working ? 'Stop' : 'Generate'}
          </button>
          <span className="grow" />
          <Scale />
        </>
      }
      table={any ? () => generationTable(continuations) : undefined}
      aside={<GeneratedAside />}
    >
      <TextField />
      {continuations.map((continuation) => (
        <ContinuationChips key={continuation.slot} continuation={continuation} parting={parting} />
      ))}
      {any && (
        <p className="note">
          Filled: the model’s own probability of the token; temperature and limits are not in it.
          {parting !== undefined && ` Outlined: token ${parting}, where A and B part.`} Click a token to analyse it: the
          tokens before it become the prompt, exactly as they were generated, and the token the target.
        </p>
      )}
    </Section>
  );
});
