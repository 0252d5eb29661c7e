'use client';
import { memo } from 'react';
import type { LayerMaps } from '../data/queries';
import type { View } from '../data/view';
import { isEnded } from '../state/run';
import { type ModelSlot, type Reduction, select, useSelection } from '../state/selection';
import { useNarrow, useWidth } from '../ui/measure';
import { Id, Section } from '../ui/parts';
import { Segmented } from '../ui/Segmented';
import { AttentionMaps } from './AttentionMaps';
import type { DrawnMap } from './drawnMaps';
import { Legend } from './Legend';
import { PairInspector } from './PairInspector';

const VALUES = [
  { value: 'linear', label: 'linear', testId: 'values-linear' },
  { value: 'log', label: 'log', testId: 'values-log' },
  { value: 'row', label: 'per row', testId: 'values-row' },
] as const;

/** Which head (Mamba-2) or channel (Mamba-1) of one model is shown alone. */
function PartField({ view, slot }: { view: View; slot: ModelSlot }) {
  const part = useSelection((s) => s.part);
  const block = view.models.find((model) => model.slot === slot)?.model.blocks[view.layer];
  if (!block) return null;
  const [word, count] = block.heads > 0 ? ['head', block.heads] : ['channel', block.channels];
  return (
    <span className="control">
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
    </span>
  );
}

function Reduce({ view }: { view: View }) {
  const reduction = useSelection((s) => s.reduction);
  const heads = view.models.some(({ model }) => (model.blocks[view.layer]?.heads ?? 0) > 0);
  return (
    <>
      <span className="control">
        <span className="caption">Reduce</span>
        <span className="select">
          <select
            aria-label="Reduction over channels"
            data-testid="reduce-select"
            value={reduction}
            onChange={(event) => select({ reduction: event.target.value as Reduction })}
          >
            <option value="mean">signed mean</option>
            <option value="mean_abs">mean of |·|</option>
            <option value="one">{heads ? 'one head' : 'one channel'}</option>
          </select>
        </span>
      </span>
      {reduction === 'one' && view.models.map(({ slot }) => <PartField key={slot} view={view} slot={slot} />)}
    </>
  );
}

/** The convention of each map, said once where the models share it. */
function Convention({ entries }: { entries: readonly LayerMaps[] }) {
  const said = entries.filter(({ map }) => map !== undefined);
  const texts = new Set(said.map(({ map }) => map?.metadata.convention));
  return (
    <p className="convention">
      <b>Convention.</b>{' '}
      {texts.size <= 1
        ? (said[0]?.map?.metadata.convention ?? 'stated with the first map')
        : said.map(({ model, map }) => (
            <span key={model.slot}>
              <Id slot={model.slot} small /> {map?.metadata.convention}{' '}
            </span>
          ))}
    </p>
  );
}

export const AttentionSection = memo(function AttentionSection(props: {
  view: View;
  entries: readonly LayerMaps[];
  maps: readonly (DrawnMap | undefined)[];
  staleMark: string;
}) {
  const { view, entries, maps, staleMark } = props;
  const values = useSelection((s) => s.values);
  const shared = useSelection((s) => s.sharedScale);
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const controls = (
    <>
      <span className="note">S6 α</span>
      <Reduce view={view} />
      <span className="control">
        <span className="caption">Values</span>
        <Segmented
          label="Value scale"
          options={VALUES}
          value={values}
          onChange={(value) => select({ values: value })}
        />
      </span>
      {view.models.length > 1 && (
        <label className="checkbox">
          <input type="checkbox" checked={shared} onChange={(event) => select({ sharedScale: event.target.checked })} />
          Shared scale
        </label>
      )}
    </>
  );
  return (
    <Section
      id="attention"
      title={
        <>
          Implicit attention, layer {view.layer} <em>{staleMark}</em>
        </>
      }
      controls={controls}
      aside={<PairInspector view={view} maps={maps} />}
    >
      <div ref={ref} style={{ minHeight: 480 }}>
        {width > 0 && (
          <AttentionMaps
            view={view}
            entries={entries}
            maps={maps}
            width={width}
            narrow={narrow}
            ended={isEnded(view.run)}
          />
        )}
      </div>
      <Legend maps={maps} />
      <Convention entries={entries} />
    </Section>
  );
});
