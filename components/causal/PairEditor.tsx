'use client';
import { useState } from 'react';
import type { Token } from '@/lib/api/schemas';
import type { Pair } from '@/lib/vocabulary';
import { displayToken, visible } from '../charts/tokens';
import { setCausal } from './settings';

/** The corrupted prompt, its tokens that differ in bold, and the answer that it asks for; both can be written anew. */
export function PairEditor(props: {
  pair: Pair;
  tokens: readonly Token[] | undefined;
  differing: ReadonlySet<number>;
  isOwn: boolean;
}) {
  const { pair, tokens, differing, isOwn } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const [foil, setFoil] = useState<string | null>(null);
  const apply = () => {
    if (draft !== null) setCausal({ corrupted: draft });
    setDraft(null);
  };
  const applyFoil = () => {
    if (foil !== null) setCausal({ foil: foil.trim() });
    setFoil(null);
  };
  return (
    <div className="pair">
      <span className="caption">Corrupted</span>
      {draft === null ? (
        <p className="corrupted" data-testid="corrupted">
          {tokens
            ? tokens.map(({ text, start }, k) => (
                <span key={start} className={differing.has(k) ? 'differs' : undefined}>
                  {k > 0 && start > tokens[k - 1].end && !text.startsWith(' ') ? ' ' : ''}
                  {differing.has(k) ? displayToken(text).replace(/^·/, ' ') : visible(text)}
                </span>
              ))
            : pair.corrupted}
        </p>
      ) : (
        <textarea
          className="field mono"
          aria-label="Corrupted prompt"
          data-testid="corrupted-text"
          rows={3}
          spellCheck={false}
          // biome-ignore lint/a11y/noAutofocus: the field opens on request of the person who will type in it.
          autoFocus
          value={draft}
          onChange={({ target }) => setDraft(target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
              event.stopPropagation();
              apply();
            }
            if (event.key === 'Escape') {
              event.stopPropagation();
              setDraft(null);
            }
          }}
        />
      )}
      <span className="actions">
        {draft === null ? (
          <button type="button" className="link" data-testid="corrupted-edit" onClick={() => setDraft(pair.corrupted)}>
            Edit
          </button>
        ) : (
          <button type="button" className="link" data-testid="corrupted-apply" onClick={apply}>
            Use this text
          </button>
        )}
        {isOwn && draft === null && (
          <button type="button" className="link" onClick={() => setCausal({ corrupted: null, foil: null })}>
            Make it from the prompt
          </button>
        )}
        <label className="control">
          <span className="note">answer then</span>
          <input
            className="field mono"
            style={{ width: 112 }}
            data-testid="foil"
            autoComplete="off"
            spellCheck={false}
            value={foil ?? pair.foil}
            onChange={({ target }) => setFoil(target.value)}
            onBlur={applyFoil}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && !event.metaKey && !event.ctrlKey) applyFoil();
              if (event.key === 'Escape') setFoil(null);
            }}
          />
        </label>
      </span>
    </div>
  );
}
