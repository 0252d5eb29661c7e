'use client';
import { createContext, type ReactNode, use, useMemo } from 'react';
import type { Channels } from '@/lib/api/readings';
import { useSteady } from '../ui/steady';
import { type DrawnMap, useDrawnMaps } from './drawnMaps';
import { type FoundMaps, type LayerMaps, useChosenMaps, useFoundMaps } from './mapQueries';
import { useChannels } from './queries';
import type { View } from './view';

interface Shown {
  readonly entries: readonly LayerMaps[];
  /** As they are drawn, one a model. */
  readonly maps: readonly (DrawnMap | undefined)[];
  /** Statistics of heads or channels, one a model. */
  readonly channels: readonly (Channels | undefined)[];
}

const NONE: Shown = { entries: [], maps: [], channels: [] };

const ShownContext = createContext(NONE);

/** The maps that the page shows now, for whatever draws something of them. */
export const useShownMaps = (): Shown => use(ShownContext);

function Chosen(props: {
  view: View;
  found: readonly FoundMaps[];
  channels: readonly (Channels | undefined)[];
  children: ReactNode;
}) {
  const { view, found, channels, children } = props;
  const entries = useChosenMaps(found, view.layer);
  // Statistics are of the scan, also where attention stands beside it.
  const own = useSteady(
    channels.map((each, k) => {
      const { model, branch } = entries[k] ?? {};
      return branch && model?.model.blocks[view.layer]?.softmax?.includes(branch) ? undefined : each;
    }),
  );
  const maps = useDrawnMaps(entries);
  const shown = useMemo(() => ({ entries, maps, channels: own }), [entries, maps, own]);
  return <ShownContext value={shown}>{children}</ShownContext>;
}

/**
 * Fetches and draws the maps of the selected layer once for everything inside. Another branch renders what asks for
 * them, and nothing else.
 */
export function ShownMaps(props: { view: View; targets: readonly (number | undefined)[]; children: ReactNode }) {
  const { view, targets, children } = props;
  const found = useFoundMaps(view, targets);
  const channels = useSteady(useChannels(view, found).map(({ data }) => data));
  return (
    <Chosen view={view} found={found} channels={channels}>
      {children}
    </Chosen>
  );
}
