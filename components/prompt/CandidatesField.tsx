'use client';
import { useState } from 'react';
import { editCandidates, parseCandidates } from '../state/edit';
import { useSelection } from '../state/selection';

/** The answer set that SNR compares the target with; empty means the whole vocabulary. Takes effect with the next run. */
export function CandidatesField() {
  const candidates = useSelection((s) => s.candidates);
  const [draft, setDraft] = useState<string | null>(null);
  const commit = () => {
    if (draft !== null) editCandidates(useSelection.getState(), parseCandidates(draft));
    setDraft(null);
  };
  if (draft === null)
    return (
      <button
        type="button"
        className="link"
        data-testid="candidates-edit"
        data-export="keep"
        title={candidates.join(', ')}
        onClick={() => setDraft(candidates.map((word) => word.trim()).join(', '))}
      >
        {candidates.length > 1 ? `${candidates.length} words` : 'whole vocabulary'}
      </button>
    );
  return (
    <textarea
      className="field mono candidates"
      aria-label="Candidate answers, between commas; empty for the whole vocabulary"
      data-testid="candidates-text"
      rows={4}
      spellCheck={false}
      // biome-ignore lint/a11y/noAutofocus: the field opens on request of the person who will type in it.
      autoFocus
      value={draft}
      onChange={({ target }) => setDraft(target.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !event.shiftKey) {
          event.preventDefault();
          commit();
        }
        if (event.key === 'Escape') {
          event.stopPropagation();
          setDraft(null);
        }
      }}
    />
  );
}
