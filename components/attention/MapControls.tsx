'use client';
import { memo } from 'react';
import type { BlockSummary } from '@/lib/api/schemas';
import { isReduced } from '@/lib/vocabulary';
import { fitWindow, wholeWindow, zoomedAt } from '../charts/window';
import { formLabel, REDUCTION_LABELS } from '../data/mapWords';
import { canSubtract } from '../data/panels';
import { useShownMaps } from '../data/shownMaps';
import { BRANCH_NAMES, hasBranches, isParallel, type View } from '../data/view';
import { FORMS } from '../state/forms';
import { showWindow } from '../state/motion';
import {
  INITIAL_SELECTION,
  type ModelSlot,
  overLayers,
  PARALLEL_MIXERS,
  type Reduction,
  reduces,
  reductionOf,
  select,
  spanOf,
  useSelection,
} from '../state/selection';
import { Check } from '../ui/Check';
import { Choice } from '../ui/Choice';
import { Control } from '../ui/Control';
import { Id } from '../ui/parts';
import { Segmented } from '../ui/Segmented';
import { Select } from '../ui/Select';
import { isolateStrongest } from './channelRanking';
import { Layers, Without } from './FormControls';

/** Forms under the names that they have in a layer. */
const formOptions = (blocks: readonly (BlockSummary | undefined)[]) =>
  FORMS.map((value) => ({ value, label: formLabel(blocks, value), testId: `form-${value}` }));

/** Which of two mixers that stand side by side is shown; only contributions have a sum. */
function Mixer() {
  const mixer = useSelection((s) => s.mixer);
  const own = useSelection((s) => reduces(s.form));
  const options = PARALLEL_MIXERS.filter((value) => !own || value !== 'single').map((value) => ({
    value,
    label: value === 'single' ? 'both' : BRANCH_NAMES[value],
    testId: `mixer-${value}`,
  }));
  return (
    <Control caption="Mixer">
      <Segmented
        label="Mixer"
        options={options}
        value={own && mixer === 'single' ? 'mamba' : mixer}
        onChange={(value) => select({ mixer: value })}
      />
    </Control>
  );
}

const VALUES = [
  { value: 'linear', label: 'linear', testId: 'values-linear' },
  { value: 'log', label: 'log', testId: 'values-log' },
  { value: 'row', label: 'per row', testId: 'values-row' },
] as const;

/** Quantiles of |value| at which colours may saturate. */
const CLIPS = [
  { value: '1', label: 'largest value' },
  { value: '0.998', label: '99.8th percentile' },
  { value: '0.99', label: '99th percentile' },
  { value: '0.95', label: '95th percentile' },
  { value: 'own', label: 'a value' },
];

/** Which head (Mamba-2) or channel (Mamba-1) of one model is shown alone. */
function PartField({ view, slot }: { view: View; slot: ModelSlot }) {
  const part = useSelection((s) => s.part);
  const block = view.models.find((model) => model.slot === slot)?.model.blocks[view.layer];
  if (!block) return null;
  const [word, count] = block.heads > 0 ? ['head', block.heads] : ['channel', block.channels];
  return (
    <Control>
      <Id slot={slot} />
      <input
        className="field number"
        type="number"
        aria-label={`${word} of ${slot}, 0 to ${count - 1}`}
        data-testid={`part-${slot}`}
        min={0}
        max={count - 1}
        value={part[slot]}
        onChange={(event) => {
          const value = Math.round(Number(event.target.value));
          if (value >= 0 && value < count) select({ part: { ...part, [slot]: value } });
        }}
      />
      <span className="note">
        {word} of {count}
      </span>
    </Control>
  );
}

function Reduce({ view }: { view: View }) {
  const { channels } = useShownMaps();
  const reduction = useSelection(reductionOf);
  const product = useSelection(overLayers);
  const normalised = useSelection((s) => spanOf(s) === 'normalised');
  const heads = view.models.some(({ model }) => (model.blocks[view.layer]?.heads ?? 0) > 0);
  const options: readonly { value: Reduction; label: string }[] = [
    ...(normalised ? [] : [{ value: 'mean', label: REDUCTION_LABELS.mean } as const]),
    { value: 'mean_abs', label: REDUCTION_LABELS.mean_abs },
    ...(product ? [] : [{ value: 'max', label: REDUCTION_LABELS.max } as const]),
    ...(product ? [] : [{ value: 'one', label: heads ? 'one head' : 'one channel' } as const]),
  ];
  return (
    <>
      <Choice
        caption="Reduce"
        label="Reduction over channels"
        testId="reduce-select"
        value={reduction}
        options={options}
        onChange={(value) => (value === 'one' ? isolateStrongest(view.models, channels) : select({ reduction: value }))}
      />
      {reduction === 'one' && view.models.map(({ slot }) => <PartField key={slot} view={view} slot={slot} />)}
    </>
  );
}

/** Where colours saturate: a quantile of all values, or a value of one's own. */
function Clip() {
  const clip = useSelection((s) => s.clip);
  const limit = useSelection((s) => s.limit);
  const shown = useShownMaps().maps.find((map) => map !== undefined)?.scale.limit;
  return (
    <Control caption="Saturate at">
      <Select
        label="Where colours saturate"
        testId="clip-select"
        value={limit === null ? String(clip) : 'own'}
        options={CLIPS}
        onChange={(value) =>
          value === 'own'
            ? select({ limit: Number((shown ?? 1).toPrecision(3)) })
            : select({ clip: Number(value), limit: null })
        }
      />
      {limit !== null && (
        <input
          className="field number"
          type="number"
          min="0"
          step="any"
          aria-label="Value at which colours saturate"
          data-testid="clip-limit"
          value={limit}
          onChange={({ target }) => Number(target.value) > 0 && select({ limit: Number(target.value) })}
        />
      )}
    </Control>
  );
}

/** Buttons for those who do not drag or turn a wheel. */
function Zoom({ view }: { view: View }) {
  const window = useSelection((s) => s.window);
  const lock = useSelection((s) => s.lock);
  const L = view.tokens.length;
  const shown = window && fitWindow(window, L);
  const zoom = (factor: number) => {
    const now = shown ?? wholeWindow(L);
    const middle = ([from, to]: readonly [number, number]) => Math.floor((from + to) / 2);
    const at = lock ?? { destination: middle(now.rows), source: middle(now.columns) };
    showWindow(zoomedAt(now, factor, at, L));
  };
  return (
    <Control caption="Zoom" title="Drag on a map to zoom to a range of tokens; ⌘ or Ctrl and the wheel zoom too">
      <button
        type="button"
        className="button low icon"
        aria-label="Zoom out"
        disabled={!shown}
        onClick={() => zoom(0.5)}
      >
        −
      </button>
      <button type="button" className="button low icon" aria-label="Zoom in" onClick={() => zoom(2)}>
        +
      </button>
    </Control>
  );
}

/** The part of the maps that is shown, while it is not all of them, and the way back; below the maps, which do not move for it. */
export function ZoomedTo({ view }: { view: View }) {
  const window = useSelection((s) => s.window);
  const shown = window && fitWindow(window, view.tokens.length);
  if (!shown) return null;
  const { rows, columns } = shown;
  return (
    <Control>
      <button type="button" className="button low" data-testid="zoom-reset" onClick={() => showWindow(null)}>
        Show all <kbd>0</kbd>
      </button>
      <span className="note">
        rows {rows[0]}–{rows[1] - 1}, columns {columns[0]}–{columns[1] - 1}
      </span>
    </Control>
  );
}

/** What the maps of a layer show: the form, and what makes one map of many channels. */
export const MapControls = memo(function MapControls({ view }: { view: View }) {
  const form = useSelection((s) => s.form);
  const span = useSelection(spanOf);
  const values = useSelection((s) => s.values);
  const blocks = view.models.map(({ model }) => model.blocks[view.layer]);
  return (
    <>
      <Control caption="Form">
        {/* A product over layers is of no form: choosing one leaves it. */}
        <Segmented
          label="Form"
          options={formOptions(blocks)}
          value={span === 'layer' ? form : undefined}
          onChange={(value) => select({ form: value, span: 'layer' })}
        />
      </Control>
      {span === 'layer' && blocks.some(isParallel) && <Mixer />}
      {reduces(form) && (span === 'layer' || isReduced(span)) && <Reduce view={view} />}
      {form === 'block' && <Without view={view} />}
      <Control caption="Values">
        <Segmented
          label="Value scale"
          options={VALUES}
          value={values}
          onChange={(value) => select({ values: value })}
        />
      </Control>
    </>
  );
});

/** How many of the controls under “More” are set. */
export const useMapsSet = (): number =>
  useSelection(
    (s) =>
      [
        overLayers(s),
        !s.sharedScale,
        s.difference,
        s.allBranches,
        s.marginals,
        s.clip !== INITIAL_SELECTION.clip || s.limit !== null,
      ].filter(Boolean).length,
  );

/** What a first look at the maps does without. `peak` is the largest magnitude of the first map. */
export const MoreMapControls = memo(function MoreMapControls(props: { view: View; peak: string | undefined }) {
  const { view, peak } = props;
  const form = useSelection((s) => s.form);
  const span = useSelection(spanOf);
  const shared = useSelection((s) => s.sharedScale);
  const difference = useSelection((s) => s.difference);
  const allBranches = useSelection((s) => s.allBranches);
  const marginals = useSelection((s) => s.marginals);
  const anyDiff = view.models.some(({ model }) => model.blocks.some(hasBranches));
  const diffHere = view.models.some(({ model }) => hasBranches(model.blocks[view.layer]));
  return (
    <>
      {form === 's6' && <Layers />}
      {view.models.length > 1 && (
        <>
          <Check
            label="Shared scale"
            testId="shared-scale"
            checked={shared}
            onChange={(sharedScale) => select({ sharedScale })}
          />
          <Check
            label="B − A"
            testId="show-difference"
            title={canSubtract(view.models) ? undefined : 'The models cut the text into different tokens'}
            disabled={!canSubtract(view.models) || (allBranches && diffHere)}
            checked={difference}
            onChange={(checked) => select({ difference: checked })}
          />
        </>
      )}
      {anyDiff && (
        <Check
          label="All branches"
          testId="all-branches"
          title={diffHere ? undefined : `Layer ${view.layer} has no differential block`}
          disabled={span !== 'layer'}
          checked={allBranches}
          onChange={(checked) => select({ allBranches: checked })}
        />
      )}
      <Check
        label="Means"
        testId="marginals"
        title={`Mean magnitude of every row and column${peak ? `, of at most ${peak}` : ''}`}
        checked={marginals}
        onChange={(checked) => select({ marginals: checked })}
      />
      <Clip />
      <Zoom view={view} />
    </>
  );
});
