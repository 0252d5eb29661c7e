'use client';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import type { Channels } from '@/lib/api/bodies';
import { formatPlain } from '@/lib/figures/numbers';
import { type ModelSlot, useSelection } from '../state/selection';
import { Id } from '../ui/parts';
import {
  binOf,
  branchOfUnits,
  CHANNEL_NAMES,
  type ChannelStatistic,
  histogramOf,
  isolate,
  type RankedUnit,
  rankedUnits,
} from './channelRanking';

const ROW = 24;

const BINS = 48;
const HISTOGRAM = { width: 288, height: 40 };

/** How the chosen statistic spreads over all units, with the isolated one marked. */
function Spread({
  slot,
  units,
  chosen,
}: {
  slot: ModelSlot;
  units: readonly RankedUnit[];
  chosen: number | undefined;
}) {
  const histogram = useMemo(() => histogramOf(units, BINS), [units]);
  if (!histogram) return null;
  const { low, high, counts } = histogram;
  const { width, height } = HISTOGRAM;
  const pitch = width / BINS;
  const most = Math.max(...counts);
  const value = units.find(({ index }) => index === chosen)?.value;
  const mark = value !== undefined && Number.isFinite(value) ? binOf(value, low, high, BINS) : undefined;
  // A bin of one unit among thousands is still seen.
  const tall = (count: number) => (count === 0 ? 0 : Math.max(1, (count / most) * (height - 14)));
  return (
    <svg
      className="spread"
      width={width}
      height={height}
      role="img"
      aria-label={`${units.length} values from ${formatPlain(low)} to ${formatPlain(high)}`}
    >
      {counts.map((count, bin) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: bins are known by their place.
          key={bin}
          className={bin === mark ? 'ink' : `${slot}-fill`}
          x={bin * pitch}
          width={pitch - 1}
          y={height - 12 - tall(count)}
          height={tall(count)}
        />
      ))}
      <text className="axis small" x="0" y={height - 2}>
        {formatPlain(low)}
      </text>
      <text className="axis small" x={width} y={height - 2} textAnchor="end">
        {formatPlain(high)}
      </text>
    </svg>
  );
}

/**
 * Every head or channel of a block with its statistics, in the order of the chosen one: found by index, only what is in
 * view is drawn.
 */
export function ChannelTable(props: {
  slot: ModelSlot;
  channels: Channels;
  statistic: ChannelStatistic;
  onStatistic: (statistic: ChannelStatistic) => void;
}) {
  const { slot, channels, statistic, onStatistic } = props;
  const [ascending, setAscending] = useState(false);
  const [search, setSearch] = useState('');
  const branch = useSelection((s) => branchOfUnits(channels, s.branch));
  const one = useSelection((s) => s.reduction === 'one');
  const chosen = useSelection((s) => s.part[slot]);
  const box = useRef<HTMLDivElement>(null);
  const { unit } = channels.metadata;
  const columns = (Object.keys(CHANNEL_NAMES) as ChannelStatistic[]).filter((name) =>
    channels.values.has(`${branch}.${name}`),
  );
  const all = useMemo(() => rankedUnits(channels, branch, statistic), [channels, branch, statistic]);
  const units = useMemo(() => {
    const found = all.filter(({ index }) => String(index).startsWith(search.trim()));
    return ascending ? found.reverse() : found;
  }, [all, search, ascending]);
  const rows = useVirtualizer({
    count: units.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const shown = rows.getVirtualItems();
  const sortBy = (name: ChannelStatistic) => {
    setAscending(name === statistic ? !ascending : false);
    onStatistic(name);
  };
  return (
    <div className="channel-table" data-testid={`channel-table-${slot}`}>
      <div className="find">
        <Id slot={slot} />
        <input
          className="field"
          type="search"
          inputMode="numeric"
          placeholder={`${unit} number`}
          aria-label={`Find a ${unit} of ${slot} by its number`}
          value={search}
          onChange={({ target }) => setSearch(target.value)}
        />
        <span className="note">
          {CHANNEL_NAMES[statistic]} of all {all.length} {unit}s
        </span>
        <Spread slot={slot} units={all} chosen={one ? chosen : undefined} />
      </div>
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
