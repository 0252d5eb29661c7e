'use client';
import { lazy, memo, Suspense, useState } from 'react';
import type { Channels } from '@/lib/api/bodies';
import { formatPlain } from '@/lib/figures/numbers';
import type { MapLayout } from '../charts/mapLayout';
import type { View } from '../data/view';
import { type ModelSlot, overLayers, reduces, useSelection } from '../state/selection';
import { Choice } from '../ui/Choice';
import { Id } from '../ui/parts';
import { branchOfUnits, CHANNEL_NAMES, type ChannelStatistic, isolate, rankedUnits } from './channelRanking';
import { HeadBars } from './HeadBars';

const ChannelTable = lazy(() => import('./ChannelTable').then((module) => ({ default: module.ChannelTable })));

const STATISTICS = Object.entries(CHANNEL_NAMES).map(([value, label]) => ({
  value: value as ChannelStatistic,
  label,
}));

/** Which head or channel stands first, in one sentence; it isolates it. */
function HeadsFinding(props: { view: View; channels: readonly (Channels | undefined)[]; statistic: ChannelStatistic }) {
  const { view, channels, statistic } = props;
  const branch = useSelection((s) => s.branch);
  const found = view.models.flatMap(({ slot }, k) => {
    const own = channels[k];
    const ranked = own ? rankedUnits(own, branchOfUnits(own, branch), statistic) : [];
    const [first] = ranked;
    return own && first && Number.isFinite(first.value) && ranked.length > 1
      ? [{ slot, ...first, unit: own.metadata.unit, of: ranked.length }]
      : [];
  });
  if (found.length === 0) return null;
  return (
    <p className="finding" data-testid="heads-finding">
      Of layer {view.layer} the largest {CHANNEL_NAMES[statistic]} has{' '}
      {found.map(({ slot, index, value, unit, of }, k) => (
        <span key={slot}>
          {k > 0 && ' and '}
          <button type="button" className="link" onClick={() => isolate(slot, index)}>
            {unit} {index}
          </button>{' '}
          of {of} in <Id slot={slot} small /> ({formatPlain(value)})
        </span>
      ))}
      .
    </p>
  );
}

/** The heads of every model, under its map where maps stand side by side. */
export const Heads = memo(function Heads(props: {
  view: View;
  channels: readonly (Channels | undefined)[];
  layout: MapLayout;
  side: boolean;
}) {
  const { view, channels, layout, side } = props;
  const form = useSelection((s) => s.form);
  const product = useSelection(overLayers);
  const [statistic, setStatistic] = useState<ChannelStatistic>('output_share');
  const [table, setTable] = useState<ModelSlot>();
  const [unfolded, setUnfolded] = useState(false);
  const one = useSelection((s) => s.reduction === 'one');
  if (!reduces(form) || product || !channels.some(Boolean)) return null;
  const [first, second] = layout.maps;
  const units = channels.find(Boolean)?.metadata.unit === 'head' ? 'Heads' : 'Channels';
  // The way back to all of them is here.
  const open = unfolded || one;
  return (
    <div className="heads-row" data-export="omit tool">
      <div className="row">
        <HeadsFinding view={view} channels={channels} statistic={statistic} />
        {!one && (
          <button
            type="button"
            className="link"
            data-testid="heads-open"
            aria-expanded={open}
            onClick={() => setUnfolded(!unfolded)}
          >
            {open ? `Fold ${units.toLowerCase()}` : `All ${units.toLowerCase()}`}
          </button>
        )}
      </div>
      {open && (
        <>
          <Choice
            caption={`${units} by`}
            label="Statistic that ranks heads and channels"
            testId="heads-by"
            value={statistic}
            options={STATISTICS}
            onChange={setStatistic}
          />
          <div
            className="heads-columns"
            style={{
              marginLeft: layout.gutter,
              columnGap: side && second ? second.left - first.left - first.size : 20,
              gridTemplateColumns: side ? view.models.map((_, k) => `${layout.maps[k].size}px`).join(' ') : undefined,
            }}
          >
            {view.models.map((model, k) => {
              const own = channels[k];
              return own ? (
                <HeadBars
                  key={model.slot}
                  model={model}
                  channels={own}
                  statistic={statistic}
                  open={table === model.slot}
                  onOpen={(open) => setTable(open ? model.slot : undefined)}
                />
              ) : (
                <span key={model.slot} />
              );
            })}
          </div>
          {view.models.map(({ slot }, k) => {
            const own = channels[k];
            return slot === table && own ? (
              <Suspense key={slot}>
                <ChannelTable slot={slot} channels={own} statistic={statistic} onStatistic={setStatistic} />
              </Suspense>
            ) : null;
          })}
        </>
      )}
    </div>
  );
});
