'use client';
import { useId, useState } from 'react';
import { useVocabulary } from '../data/queries';
import { select, useSelection } from '../state/selection';

/** A field for the target token, with suggestions from the vocabulary. */
export function TargetField() {
  const target = useSelection((s) => s.target);
  const model = useSelection((s) => s.modelA);
  const [draft, setDraft] = useState<string | null>(null);
  const { data } = useVocabulary(draft === null ? '' : model, draft?.trim() ?? '');
  const suggestions = useId();
  const commit = () => {
    if (draft !== null && draft.trim() !== '' && draft.trim() !== target.trim()) select({ target: draft.trim() });
    setDraft(null);
  };
  return (
    <>
      <input
        className="field mono"
        data-export="setting"
        style={{ width: 128, textAlign: 'right' }}
        aria-label="Target token"
        data-testid="target-input"
        list={suggestions}
        autoComplete="off"
        spellCheck={false}
        value={draft ?? target.trim()}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.metaKey && !event.ctrlKey) commit();
          if (event.key === 'Escape') setDraft(null);
        }}
      />
      <datalist id={suggestions}>
        {data?.slice(0, 50).map(({ id, text }) => (
          <option key={id} value={text.trim()} />
        ))}
      </datalist>
    </>
  );
}
