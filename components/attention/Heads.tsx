'use client';
import { lazy, memo, Suspense, useState } from 'react';
import type { Channels } from '@/lib/api/readings';
import type { MapLayout } from '../charts/mapLayout';
import type { View } from '../data/view';
import { type ModelSlot, overLayers, reduces, useSelection } from '../state/selection';
import { Choice } from '../ui/Choice';
import { CHANNEL_NAMES, type ChannelStatistic } from './channelRanking';
import { HeadBars } from './HeadBars';

const ChannelTable = lazy(() => import('./ChannelTable').then((module) => ({ default: module.ChannelTable })));

const STATISTICS = Object.entries(CHANNEL_NAMES).map(([value, label]) => ({
  value: value as ChannelStatistic,
  label,
}));

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
  if (!reduces(form) || product || !channels.some(Boolean)) return null;
  const [one, two] = layout.maps;
  return (
    <div className="heads-row" data-export="omit tool">
      <Choice
        caption={channels.find(Boolean)?.metadata.unit === 'head' ? 'Heads by' : 'Channels by'}
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
          columnGap: side && two ? two.left - one.left - one.size : 20,
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
    </div>
  );
});
