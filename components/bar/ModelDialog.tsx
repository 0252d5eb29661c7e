'use client';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { ModelSummary } from '@/lib/api/schemas';
import { useHealth, useModels } from '../data/queries';
import type { ModelSlot } from '../state/selection';
import { Id } from '../ui/parts';
import { FolderField } from './FolderField';
import { searchModels } from './modelSearch';
import { Pattern } from './Pattern';
import { TokenizerField } from './TokenizerField';

function ModelRow({ model, chosen, onPick }: { model: ModelSummary; chosen: boolean; onPick(): void }) {
  return (
    <button
      type="button"
      className="model-row"
      aria-pressed={chosen}
      disabled={!model.hasTokenizer}
      data-testid={`pick-${model.name}`}
      onClick={onPick}
    >
      <b>{model.name}</b>
      <Pattern differential={model.differential} />
      <small>
        {model.summary} · {model.dtype}
        {!model.hasTokenizer &&
          ` · ${model.tokenizerProblem ?? 'has no tokenizer, so it cannot read text: choose one below'}`}
        {model.tokenizer?.source === 'fallback' &&
          ` · read with ${model.tokenizer.name}, having no tokenizer of its own`}
        {model.tokenizer?.source === 'chosen' && ` · read with ${model.tokenizer.name}, as chosen`}
        {model.warnings?.map((warning) => ` · ${warning}`)}
      </small>
    </button>
  );
}

/** Chooses a model by search, by its layer pattern and size. */
export function ModelDialog(props: { slot: ModelSlot; value: string; onPick(name: string): void; onClose(): void }) {
  const { slot, value, onPick, onClose } = props;
  const { data, error } = useModels();
  const { data: health } = useHealth();
  const [query, setQuery] = useState('');
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const models = searchModels(data?.models ?? [], query);
  const unreadable = (data?.unreadable ?? []).filter(({ name }) =>
    name.toLowerCase().includes(query.toLowerCase().trim()),
  );
  const pick = (name: string) => {
    onPick(name);
    onClose();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const stops = [...(dialog.current?.querySelectorAll<HTMLElement>('input, .model-row:enabled') ?? [])];
    const at = stops.indexOf(document.activeElement as HTMLElement);
    stops[Math.min(stops.length - 1, Math.max(0, at + step))]?.focus();
  };
  const [first] = models.filter(({ hasTokenizer }) => hasTokenizer);
  return (
    <dialog
      ref={dialog}
      className="model-dialog"
      aria-labelledby="model-dialog-title"
      data-testid="model-dialog"
      onClose={onClose}
      onKeyDown={onKeyDown}
    >
      <h2 id="model-dialog-title">
        Model <Id slot={slot} />
      </h2>
      <input
        className="field"
        type="search"
        aria-label="Search models"
        placeholder="name, kind, layers"
        data-testid="model-search"
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !first) return;
          event.preventDefault();
          pick(first.name);
        }}
      />
      {error && (
        <p className="bad" role="alert">
          {error.message}
        </p>
      )}
      <div className="model-list">
        {slot === 'B' && query === '' && (
          <button type="button" className="model-row" aria-pressed={value === ''} onClick={() => pick('')}>
            <b>none</b>
            <small>show A alone</small>
          </button>
        )}
        {models.map((model) => (
          <ModelRow key={model.name} model={model} chosen={model.name === value} onPick={() => pick(model.name)} />
        ))}
        {unreadable.map(({ name, problem }) => (
          <div key={name} className="model-row" data-testid={`unreadable-${name}`}>
            <b>{name}</b>
            <small className="bad">{problem}</small>
          </div>
        ))}
        {data && models.length + unreadable.length === 0 && <p className="note">No model matches.</p>}
      </div>
      <p className="note">One tick a layer, tall for differential blocks.</p>
      {data && !health?.readOnly && <TokenizerField list={data} current={value} />}
      {data && !health?.readOnly && <FolderField list={data} />}
      <p>
        <button type="button" className="button low" onClick={onClose}>
          Close <kbd>Esc</kbd>
        </button>
      </p>
    </dialog>
  );
}
