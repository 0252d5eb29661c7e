'use client';
import type { ModelSummary } from '@/lib/api/schemas';
import { formatParameters } from '../charts/numbers';
import { useModels } from '../data/queries';
import { type ModelSlot, select, swapModels, useSelection } from '../state/selection';
import { Id } from '../ui/parts';
import { SwapIcon } from './icons';

/** The layer pattern as one tick a block: filled for differential blocks. */
function Pattern({ layers }: { layers: ModelSummary['layers'] }) {
  const pitch = layers.length > 24 ? 2 : 4;
  return (
    <svg className="pattern" width={layers.length * pitch} height="8" aria-hidden="true">
      {layers.map((kind, k) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks are known by their place.
          key={k}
          x={k * pitch}
          y={kind.startsWith('diff') ? 0 : 4}
          width={pitch - 1}
          height={kind.startsWith('diff') ? 8 : 4}
          fill={kind.startsWith('diff') ? 'var(--ink-2)' : 'var(--line-strong)'}
        />
      ))}
    </svg>
  );
}

const sizeLine = (model: ModelSummary, short?: boolean) =>
  `${model.layers.length} layers${short ? '' : ` · d ${model.hidden_size}`} · ${formatParameters(model.parameters)}`;

function Picker({ slot, testId, row }: { slot: ModelSlot; testId?: string; row?: boolean }) {
  const { data } = useModels();
  const name = useSelection((s) => (slot === 'A' ? s.modelA : s.modelB));
  const models = data?.models ?? [];
  const chosen = models.find((model) => model.name === name);
  return (
    <div className="picker">
      <Id slot={slot} />
      <b>{name || (slot === 'B' ? 'none' : 'choose a model')}</b>
      <span className="caret" />
      <small>
        {chosen ? (
          <>
            <Pattern layers={chosen.layers} />
            <span>{sizeLine(chosen, row)}</span>
          </>
        ) : (
          <span>{slot === 'B' && !name ? 'compare with a second model' : '\u00a0'}</span>
        )}
      </small>
      <select
        data-testid={testId}
        aria-label={`Model ${slot}`}
        value={name}
        onChange={(event) => select(slot === 'A' ? { modelA: event.target.value } : { modelB: event.target.value })}
      >
        {slot === 'B' && <option value="">none</option>}
        {slot === 'A' && !name && <option value="">choose a model</option>}
        {name && !chosen && <option value={name}>{name} (not found)</option>}
        {models.map((model) => (
          <option key={model.name} value={model.name} disabled={!model.hasTokenizer}>
            {model.name} — {model.summary}
            {model.hasTokenizer ? '' : ' (no tokenizer)'}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Both pickers with the swap between them; `row` is the second bar of narrow screens. */
export function ModelPickers({ row }: { row?: boolean }) {
  const single = useSelection((s) => s.modelB === '');
  return (
    <fieldset className={row ? 'models row' : 'models'} aria-label="Models">
      <Picker slot="A" row={row} testId={row ? 'model-a-narrow' : 'model-a'} />
      <button
        type="button"
        className="button quiet icon"
        onClick={swapModels}
        disabled={single}
        title="Swap A and B (X)"
        aria-label="Swap models A and B"
      >
        <SwapIcon />
      </button>
      <Picker slot="B" row={row} testId={row ? 'model-b-narrow' : 'model-b'} />
    </fieldset>
  );
}
