'use client';
import { createContext, type ReactNode, use, useMemo } from 'react';
import type { Channels } from '@/lib/api/bodies';
import { overLayers, useSelection } from '../state/selection';
import { useSteady } from '../ui/steady';
import { type DrawnMap, useDrawnMaps } from './drawnMaps';
import { type FoundMaps, type LayerMaps, useChosenMaps, useFoundMaps } from './mapQueries';
import { useChannels } from './queries';
import { mapsLayer, type View } from './view';

interface Shown {
  /** Whose maps these are: another than the selected one while the run has not come to that. */
  readonly layer: number;
  readonly entries: readonly LayerMaps[];
  /** As they are drawn, one a model. */
  readonly maps: readonly (DrawnMap | undefined)[];
  /** Statistics of heads or channels, one a model. */
  readonly channels: readonly (Channels | undefined)[];
}

const NONE: Shown = { layer: 0, entries: [], maps: [], channels: [] };

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
  const { layer } = view;
  const shown = useMemo(() => ({ layer, entries, maps, channels: own }), [layer, entries, maps, own]);
  return <ShownContext value={shown}>{children}</ShownContext>;
}

/**
 * The view with the layer whose maps can be shown now. Forms and products that need the whole run have no maps of any layer
 * before its end.
 */
export function useMapsView(view: View): View {
  const waits = useSelection((s) => s.form === 'logit' || overLayers(s));
  const layer = waits ? view.layer : mapsLayer(view);
  return useMemo(() => (layer === view.layer ? view : { ...view, layer }), [view, layer]);
}

/**
 * Fetches and draws the maps of the view's layer once for everything inside. Another branch renders what asks for
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
