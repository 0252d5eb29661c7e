'use client';
import { lazy, Suspense, useState } from 'react';
import type { ModelSummary } from '@/lib/api/schemas';
import { formatParameters } from '@/lib/figures/numbers';
import { useModels } from '../data/queries';
import { type ModelSlot, select, swapModels, useSelection } from '../state/selection';
import { SwapIcon } from '../ui/icons';
import { Id } from '../ui/parts';
import { Pattern } from './Pattern';

const ModelDialog = lazy(() => import('./ModelDialog').then((module) => ({ default: module.ModelDialog })));

const sizeLine = (model: ModelSummary, short?: boolean) =>
  `${model.layers.length} layers${short ? '' : ` · d ${model.hidden_size}`} · ${formatParameters(model.parameters)}`;

function Picker({ slot, testId, row }: { slot: ModelSlot; testId?: string; row?: boolean }) {
  const { data, error } = useModels();
  const name = useSelection((s) => (slot === 'A' ? s.modelA : s.modelB));
  const models = data?.models ?? [];
  const chosen = models.find((model) => model.name === name);
  const [open, setOpen] = useState(false);
  const pick = (next: string) => select(slot === 'A' ? { modelA: next } : { modelB: next });
  return (
    <>
      <button
        type="button"
        className="picker"
        data-testid={testId}
        aria-haspopup="dialog"
        aria-label={`Model ${slot}: ${name || 'none'}`}
        onClick={() => setOpen(true)}
      >
        <Id slot={slot} />
        <b>
          {name || (slot === 'B' ? 'none' : error && !data ? 'no list of models' : 'choose a model')}
          {data && name && !chosen && ' (not found)'}
        </b>
        <span className="caret" />
        <small>
          {chosen ? (
            <>
              <Pattern differential={chosen.differential} />
              <span>{sizeLine(chosen, row)}</span>
            </>
          ) : (
            <span>{slot === 'B' && !name ? 'compare with a second model' : '\u00a0'}</span>
          )}
        </small>
      </button>
      {open && (
        <Suspense>
          <ModelDialog slot={slot} value={name} onPick={pick} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
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
