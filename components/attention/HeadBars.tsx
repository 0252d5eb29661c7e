'use client';
import { type KeyboardEvent, memo, useRef } from 'react';
import type { Channels } from '@/lib/api/bodies';
import { formatPlain } from '@/lib/figures/numbers';
import type { ModelView } from '../data/view';
import { select, useSelection } from '../state/selection';
import { branchOfUnits, CHANNEL_NAMES, type ChannelStatistic, isolate, rankedUnits } from './channelRanking';

/** Bars beside each other; where there are more units, the table has the rest. */
const SHOWN = 32;
const HEIGHT = 24;

/** The heads (or strongest channels) of one model's block as bars, sorted by a statistic; a click isolates one. */
export const HeadBars = memo(function HeadBars(props: {
  model: ModelView;
  channels: Channels;
  statistic: ChannelStatistic;
  /** Whether the table of all units is open. */
  open: boolean;
  onOpen: (open: boolean) => void;
}) {
  const { model, channels, statistic, open, onOpen } = props;
  const { slot } = model;
  const one = useSelection((s) => s.reduction === 'one');
  const chosen = useSelection((s) => s.part[slot]);
  const bars = useRef<HTMLDivElement>(null);
  const branch = useSelection((s) => branchOfUnits(channels, s.branch));
  const ranked = rankedUnits(channels, branch, statistic);
  if (ranked.length === 0) return null;
  const { unit } = channels.metadata;
  const shown = ranked.slice(0, SHOWN);
  const at = one ? shown.findIndex(({ index }) => index === chosen) : -1;
  // One stop on the way through the page; the arrows go on from there.
  const stop = Math.max(0, at);
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = [...(bars.current?.children ?? [])];
    const now = buttons.indexOf(document.activeElement as Element);
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      Home: 0,
      End: buttons.length - 1,
    };
    if (now < 0 || !(event.key in steps)) return;
    event.preventDefault();
    (buttons[Math.min(buttons.length - 1, Math.max(0, steps[event.key]))] as HTMLElement).focus();
  };
  const top = Math.max(...shown.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  return (
    <div className="heads" data-testid={`heads-${slot}`}>
      <button
        type="button"
        className="button low sum"
        aria-pressed={!one}
        title={`Mean over all ${ranked.length} ${unit}s`}
        onClick={() => select({ reduction: 'mean' })}
      >
        Σ {ranked.length}
      </button>
      <fieldset
        className="bars"
        onKeyDown={onKeyDown}
        data-arrows
        aria-label={`${unit}s of ${slot} by ${CHANNEL_NAMES[statistic]}`}
      >
        <div ref={bars}>
          {shown.map(({ index, value }, rank) => {
            const label = `${unit} ${index}, ${CHANNEL_NAMES[statistic]} ${formatPlain(value)}`;
            const height = Math.max(1, (Math.abs(value) / top) * HEIGHT);
            return (
              <button
                // biome-ignore lint/suspicious/noArrayIndexKey: bars are ranks; the same bars then take other heights.
                key={rank}
                type="button"
                tabIndex={rank === stop ? 0 : -1}
                aria-pressed={one && chosen === index}
                aria-label={label}
                title={label}
                onClick={() => isolate(slot, index)}
              >
                <i className={slot} style={{ height }} />
                {(shown.length <= 16 || (one && chosen === index)) && <small>{index}</small>}
              </button>
            );
          })}
        </div>
      </fieldset>
      <button
        type="button"
        className="link"
        aria-expanded={open}
        data-testid={`heads-table-${slot}`}
        onClick={() => onOpen(!open)}
      >
        {open ? 'Close' : ranked.length > SHOWN ? `All ${ranked.length}` : 'Table'}
      </button>
    </div>
  );
});
