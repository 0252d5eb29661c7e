'use client';
import { useMemo, useState } from 'react';
import type { Channels } from '@/lib/api/bodies';
import { formatValue } from '@/lib/figures/numbers';
import { cellsTop, type MapLayout, mapLayout } from '../charts/mapLayout';
import { topSources } from '../charts/pair';
import { displayToken } from '../charts/tokens';
import { fitWindow, mapFrame } from '../charts/window';
import type { DrawnMap } from '../data/drawnMaps';
import type { LayerMaps } from '../data/mapQueries';
import type { MapPanel } from '../data/panels';
import { hasBranches, ownRegion, type View } from '../data/view';
import { useSelection } from '../state/selection';
import { usePixelRatio } from '../ui/measure';
import { useSteady } from '../ui/steady';
import { Heads } from './Heads';
import { MapCells } from './MapCells';
import { BranchEquation, MapName, PanelName } from './MapHeading';
import { MapLabels } from './MapLabels';
import { MapMarginals } from './MapMarginals';
import { MapOverlay } from './MapOverlay';
import { MapSurface } from './MapSurface';
import { MovingMaps } from './MovingMaps';
import { MovingSheet } from './MovingSheet';
import { useMapCursor } from './mapCursor';

/** Room for the name above each of several branches. */
const PANEL_HEAD = 26;
/** Branches beside each other. */
const BRANCH_COLUMNS = 4;

/** Where a map ends on the page, 0 before the first. */
const endOf = (map: MapLayout['maps'][number] | undefined): number => (map ? map.left + map.size : 0);

/** One sentence for people who do not see the maps. */
function summaryOf(view: View, maps: readonly (DrawnMap | undefined)[]): string {
  const parts = maps.map((map) => {
    if (!map) return '';
    const { slot, tokens, position } = map.source.model;
    const [source] = topSources(map.raw, map.L, position, 1);
    const value = formatValue(map.raw[position * map.L + source], map.scale.signed);
    return ` In ${slot}, position ${position} reads most from ${source} ${displayToken(tokens[source].text)}, ${value}.`;
  });
  return `Attention maps of layer ${view.layer}.${parts.join('')} Arrow keys move a cell cursor, Enter locks, plus and minus zoom, 0 shows all.`;
}

/** The maps of the selected layer side by side (or under each other), with one cross through all of them. */
export function AttentionMaps(props: {
  view: View;
  entries: readonly LayerMaps[];
  maps: readonly (DrawnMap | undefined)[];
  panels: readonly MapPanel[];
  channels: readonly (Channels | undefined)[];
  width: number;
  narrow: boolean;
  ended: boolean;
  /** Largest side of a map, where the section has the page for itself. */
  most?: number;
}) {
  const { view, entries, maps, panels, channels, width, narrow, ended, most } = props;
  const devicePixelRatio = usePixelRatio();
  const lock = useSelection((s) => s.lock);
  const chosen = useSelection((s) => s.window);
  const [sheet] = useState(() => new MovingSheet());
  const withMarginals = useSelection((s) => s.marginals);
  const L = view.tokens.length;
  const ownLabels = view.models.some(({ fromA, run }) => fromA !== undefined || run !== view.run);
  const branches = panels.some(({ branch }) => branch !== undefined);
  const lengths = useSteady(panels.map(({ entry }) => entry.model.tokens.length));
  const headHeights = useSteady(
    panels.map(({ name, entry }) =>
      branches
        ? PANEL_HEAD
        : !narrow
          ? 0
          : name !== 'Δ' && hasBranches(entry.model.model.blocks[view.layer])
            ? 144
            : 76,
    ),
  );
  const layout = useMemo(
    () =>
      mapLayout({
        width,
        lengths,
        narrow,
        devicePixelRatio,
        ownLabels,
        headHeights,
        columns: branches ? BRANCH_COLUMNS : undefined,
        marginals: withMarginals,
        most,
      }),
    [lengths, headHeights, branches, narrow, width, devicePixelRatio, ownLabels, withMarginals, most],
  );
  const window = useMemo(() => chosen && fitWindow(chosen, L), [chosen, L]);
  const models = useSteady(panels.map(({ entry }) => entry.model));
  const frames = useMemo(
    () => models.map((model, k) => mapFrame(ownRegion(model, window), layout.maps[k].size)),
    [models, window, layout],
  );
  const top = cellsTop(layout);
  const { spoken, onKeyDown, onFocus, onBlur } = useMapCursor(view, maps);
  const bothDiff = entries.filter(({ model }) => hasBranches(model.model.blocks[view.layer])).length > 1;
  const withEquation = entries.some(({ model }) => hasBranches(model.model.blocks[view.layer]));
  const tight = !narrow && layout.maps[0].size < 430 && withEquation;
  const headHeight = narrow || branches ? 0 : tight ? 136 : 72;
  const head = (panel: MapPanel, k: number) =>
    panel.name === 'Δ' || panel.branch !== undefined ? (
      <PanelName panel={panel} />
    ) : (
      <>
        <MapName entry={panel.entry} layer={view.layer} />
        <BranchEquation
          model={panel.entry.model}
          branches={panel.entry.branches}
          layer={view.layer}
          testIds={bothDiff && k === 0 ? 'branch-A-' : 'branch-'}
        />
      </>
    );
  const labelled = (k: number) => narrow || ownLabels || layout.maps[k].left === layout.maps[0].left;
  return (
    <>
      {headHeight > 0 && (
        <div className="map-heads" data-export="key" style={{ minHeight: headHeight }}>
          {panels.map((panel, k) => (
            <div
              key={panel.key}
              className={tight ? 'map-head stacked' : 'map-head'}
              style={{ marginLeft: layout.maps[k].left - endOf(layout.maps[k - 1]), width: layout.maps[k].size }}
            >
              {head(panel, k)}
            </div>
          ))}
        </div>
      )}
      <div
        className="figure"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: one tab stop; the arrow keys move a cursor over the cells.
        tabIndex={0}
        data-arrows
        data-testid="maps"
        data-window={window ? [...window.rows, ...window.columns].join('-') : ''}
        aria-label={summaryOf(view, maps)}
        style={{ height: layout.height }}
        onKeyDown={onKeyDown}
        onFocus={onFocus}
        onBlur={onBlur}
      >
        {panels.map((panel, k) => (
          <MapCells
            key={panel.key}
            panel={panel}
            frame={frames[k]}
            left={layout.maps[k].left}
            top={layout.maps[k].top + top}
            layer={view.layer}
            ended={ended}
            onShown={sheet.pictureShown}
          />
        ))}
        <svg className="layer" width={width} height={layout.height} aria-hidden="true">
          {panels.map((panel, k) => (
            <g key={panel.key} transform={`translate(${layout.maps[k].left},${layout.maps[k].top + top})`}>
              <MapLabels
                model={panel.entry.model}
                layout={layout}
                frame={frames[k]}
                target={view.target}
                lock={lock}
                rows={labelled(k)}
              />
              {layout.marginal > 0 && (
                <MapMarginals
                  panel={panel}
                  frame={frames[k]}
                  thickness={layout.marginal}
                  top={-layout.profileGap - layout.marginal}
                />
              )}
            </g>
          ))}
        </svg>
        {panels.map((panel, k) => (
          <MapOverlay
            key={panel.key}
            panel={panel}
            all={panels}
            layout={layout}
            frame={frames[k]}
            left={layout.maps[k].left}
            top={layout.maps[k].top}
            captions={labelled(k)}
          />
        ))}
        <MovingMaps
          sheet={sheet}
          panels={panels}
          layout={layout}
          width={width}
          L={L}
          target={view.target}
          lock={lock}
          labelled={labelled}
        />
        {panels.map((panel, k) => (
          <MapSurface
            key={panel.key}
            panel={panel}
            frame={frames[k]}
            left={layout.maps[k].left}
            top={layout.maps[k].top + top}
            L={L}
          />
        ))}
        {(narrow || branches) &&
          panels.map((panel, k) => (
            <div
              key={panel.key}
              className="map-head stacked"
              style={{
                left: branches ? layout.maps[k].left : 0,
                width: branches ? layout.maps[k].size : undefined,
                right: branches ? undefined : 0,
                top: layout.maps[k].top - (branches ? PANEL_HEAD : panel.name === 'Δ' ? 48 : 144),
                height: branches ? PANEL_HEAD - 4 : panel.name === 'Δ' ? 44 : 140,
              }}
            >
              {head(panel, k)}
            </div>
          ))}
        <span className="visually-hidden" aria-live="polite" data-export="omit">
          {spoken}
        </span>
      </div>
      <Heads view={view} channels={channels} layout={layout} side={!narrow && !branches} />
    </>
  );
}
