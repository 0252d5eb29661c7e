'use client';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import type { Channels } from '@/lib/api/readings';
import { formatPlain } from '@/lib/figures/numbers';
import { type ModelSlot, useSelection } from '../state/selection';
import { CHANNEL_NAMES, type ChannelStatistic, isolate, rankedUnits } from './channelRanking';

const ROW = 24;

/** Every head or channel of a block with its statistics: sortable, searched by index, only what is in view is drawn. */
export function ChannelTable(props: { slot: ModelSlot; channels: Channels; branch: string; first: ChannelStatistic }) {
  const { slot, channels, branch, first } = props;
  const [statistic, setStatistic] = useState(first);
  const [ascending, setAscending] = useState(false);
  const [search, setSearch] = useState('');
  const one = useSelection((s) => s.reduction === 'one');
  const chosen = useSelection((s) => s.part[slot]);
  const box = useRef<HTMLDivElement>(null);
  const { unit } = channels.metadata;
  const columns = (Object.keys(CHANNEL_NAMES) as ChannelStatistic[]).filter((name) =>
    channels.values.has(`${branch}.${name}`),
  );
  const units = useMemo(() => {
    const ranked = rankedUnits(channels, branch, statistic).filter(({ index }) =>
      String(index).startsWith(search.trim()),
    );
    return ascending ? ranked.reverse() : ranked;
  }, [channels, branch, statistic, search, ascending]);
  const rows = useVirtualizer({
    count: units.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const shown = rows.getVirtualItems();
  const sortBy = (name: ChannelStatistic) => {
    setAscending(name === statistic ? !ascending : false);
    setStatistic(name);
  };
  return (
    <div className="channel-table" data-testid={`channel-table-${slot}`}>
      <input
        className="field"
        type="search"
        inputMode="numeric"
        placeholder={`${unit} number`}
        aria-label={`Find a ${unit} of ${slot} by its number`}
        value={search}
        onChange={({ target }) => setSearch(target.value)}
      />
      <div ref={box} className="scroll">
        <table aria-label={`${unit}s of ${slot}`} aria-rowcount={units.length + 1}>
          <thead>
            <tr>
              <th scope="col">{unit}</th>
              {columns.map((name) => (
                <th
                  key={name}
                  scope="col"
                  aria-sort={name === statistic ? (ascending ? 'ascending' : 'descending') : 'none'}
                >
                  <button type="button" className="link" onClick={() => sortBy(name)}>
                    {CHANNEL_NAMES[name]}
                    {name === statistic ? (ascending ? ' ↑' : ' ↓') : ''}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr style={{ height: shown[0]?.start ?? 0 }} />
            {shown.map(({ index: at }) => {
              const { index } = units[at];
              const isolated = one && chosen === index;
              return (
                <tr
                  key={index}
                  aria-rowindex={at + 2}
                  className={isolated ? 'chosen' : undefined}
                  style={{ height: ROW }}
                >
                  <th scope="row">
                    <button
                      type="button"
                      className="link"
                      data-export="keep"
                      aria-pressed={isolated}
                      onClick={() => isolate(slot, index)}
                    >
                      {index}
                    </button>
                  </th>
                  {columns.map((name) => (
                    <td key={name}>{formatPlain(channels.values.get(`${branch}.${name}`)?.[index])}</td>
                  ))}
                </tr>
              );
            })}
            <tr style={{ height: rows.getTotalSize() - (shown[shown.length - 1]?.end ?? 0) }} />
          </tbody>
        </table>
      </div>
    </div>
  );
}
