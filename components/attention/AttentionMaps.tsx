'use client';
import { useMemo } from 'react';
import { cellAt, type MapLayout, mapLayout } from '../charts/mapLayout';
import { formatValue } from '../charts/numbers';
import { topSources } from '../charts/pair';
import { lookUp, rasterise, wholeMap } from '../charts/raster';
import { displayToken } from '../charts/tokens';
import type { LayerMaps } from '../data/queries';
import { isDiff, ownToken, tokenOfA, type View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { toggleLock, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { PixelCanvas } from '../ui/canvas';
import { HitArea } from '../ui/HitArea';
import { usePixelRatio } from '../ui/measure';
import type { DrawnMap } from './drawnMaps';
import { BranchEquation, MapName } from './MapHeading';
import { MapLabels } from './MapLabels';
import { MapOverlay } from './MapOverlay';
import { useMapCursor } from './mapCursor';

type Place = MapLayout['maps'][number];

/** The cells of one map, or the frame that waits for them. */
function Cells({
  entry,
  drawn,
  place,
  top,
  layer,
  ended,
}: {
  entry: LayerMaps;
  drawn?: DrawnMap;
  place: Place;
  top: number;
  layer: number;
  ended: boolean;
}) {
  const palette = usePalette();
  const pixels = Math.round(place.size * usePixelRatio());
  const { half, pyramid, scale, table } = drawn ?? {};
  const raster = useMemo(() => {
    if (!half || !pyramid || !scale || !table) return undefined;
    const colours = lookUp(scale, table, palette.mask, half.unit);
    return rasterise(pyramid, colours, wholeMap(half.L), { width: pixels, height: pixels });
  }, [half, pyramid, scale, table, pixels, palette]);
  const box = { left: place.left, top: place.top + top, width: place.size, height: place.size };
  const absent = layer >= entry.model.layers;
  if (raster) return <PixelCanvas raster={raster} style={box} />;
  return (
    <div className="waiting" style={box}>
      {entry.error ??
        (absent
          ? 'this model has no such layer'
          : entry.ready
            ? ''
            : `layer ${layer} ${ended ? 'was not computed' : 'waits'}`)}
    </div>
  );
}

/** The pointer surface of one map; it carries the linked cell for whoever looks from outside. */
function MapSurface({ entry, layout, place }: { entry: LayerMaps; layout: MapLayout; place: Place }) {
  const { model } = entry;
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const cell = (x: number, y: number) => {
    const own = cellAt(x, y, layout.cell, model.tokens.length);
    const [i, j] = own ? [tokenOfA(model, own.destination), tokenOfA(model, own.source)] : [];
    return i !== undefined && j !== undefined ? { destination: i, source: j } : undefined;
  };
  return (
    <HitArea
      cells
      testId={`map-${model.slot}`}
      data={{ 'data-hover-row': ownToken(model, destination) ?? '', 'data-hover-col': ownToken(model, source) ?? '' }}
      style={{
        left: place.left,
        top: place.top + layout.profileHeight + layout.profileGap,
        width: place.size,
        height: place.size,
      }}
      onPoint={(x, y) => {
        const at = cell(x, y);
        if (at) hover({ origin: 'map', model: model.slot, ...at });
        else clearHover();
      }}
      onLeave={clearHover}
      onPick={(x, y) => {
        const at = cell(x, y);
        if (at) toggleLock(at);
      }}
    />
  );
}

/** One sentence for people who do not see the maps. */
function summaryOf(view: View, maps: readonly (DrawnMap | undefined)[]): string {
  const parts = maps.map((map) => {
    if (!map) return '';
    const { slot, tokens, position } = map.source.model;
    const [source] = topSources(map.raw, map.L, position, 1);
    const value = formatValue(map.raw[position * map.L + source], map.scale.signed);
    return ` In ${slot}, position ${position} reads most from ${source} ${displayToken(tokens[source].text)}, ${value}.`;
  });
  return `Attention maps of layer ${view.layer}.${parts.join('')} Arrow keys move a cell cursor, Enter locks.`;
}

/** The maps of the selected layer side by side (or under each other), with one cross through all of them. */
export function AttentionMaps(props: {
  view: View;
  entries: readonly LayerMaps[];
  maps: readonly (DrawnMap | undefined)[];
  width: number;
  narrow: boolean;
  ended: boolean;
}) {
  const { view, entries, maps, width, narrow, ended } = props;
  const pixelRatio = usePixelRatio();
  const lock = useSelection((s) => s.lock);
  const ownLabels = view.models.some(({ fromA }) => fromA !== undefined);
  const equations = entries.map(({ model }) => isDiff(model.model.blocks[view.layer]));
  const headHeights = equations.map((equation) => (equation ? 144 : 76));
  const layout = mapLayout({
    width,
    lengths: view.models.map(({ tokens }) => tokens.length),
    narrow,
    devicePixelRatio: pixelRatio,
    ownLabels,
    headHeights,
  });
  const top = layout.profileHeight + layout.profileGap;
  const { spoken, onKeyDown, onFocus, onBlur } = useMapCursor(view, maps);
  const tight = !narrow && layout.maps[0].size < 430 && equations.some(Boolean);
  const headHeight = narrow ? 0 : tight ? 136 : 72;
  const bothDiff = equations.filter(Boolean).length > 1;
  const head = (entry: LayerMaps, k: number) => (
    <>
      <MapName entry={entry} layer={view.layer} />
      <BranchEquation entry={entry} layer={view.layer} testIds={bothDiff && k === 0 ? 'branch-A-' : 'branch-'} />
    </>
  );
  return (
    <>
      {!narrow && (
        <div className="map-heads" style={{ height: headHeight }}>
          {entries.map((entry, k) => (
            <div
              key={entry.model.slot}
              className={tight ? 'map-head stacked' : 'map-head'}
              style={{ left: layout.maps[k].left, width: layout.maps[k].size, bottom: 4 }}
            >
              {head(entry, k)}
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
        aria-label={summaryOf(view, maps)}
        style={{ height: layout.height }}
        onKeyDown={onKeyDown}
        onFocus={onFocus}
        onBlur={onBlur}
      >
        {entries.map((entry, k) => (
          <Cells
            key={entry.model.slot}
            entry={entry}
            drawn={maps[k]}
            place={layout.maps[k]}
            top={top}
            layer={view.layer}
            ended={ended}
          />
        ))}
        <svg className="layer" width={width} height={layout.height} aria-hidden="true">
          {entries.map(({ model }, k) => (
            <g key={model.slot} transform={`translate(${layout.maps[k].left},${layout.maps[k].top + top})`}>
              <MapLabels
                model={model}
                layout={layout}
                target={view.target}
                lock={lock}
                size={layout.maps[k].size}
                rows={narrow || ownLabels || k === 0}
              />
            </g>
          ))}
        </svg>
        {entries.map(({ model }, k) => (
          <MapOverlay
            key={model.slot}
            model={model}
            drawn={maps[k]}
            all={maps}
            layout={layout}
            place={layout.maps[k]}
            width={width}
            captions={narrow || ownLabels || k === 0}
          />
        ))}
        {entries.map((entry, k) => (
          <MapSurface key={entry.model.slot} entry={entry} layout={layout} place={layout.maps[k]} />
        ))}
        {narrow &&
          entries.map((entry, k) => (
            <div
              key={entry.model.slot}
              className="map-head stacked"
              style={{ left: 0, right: 0, top: layout.maps[k].top - headHeights[k] }}
            >
              {head(entry, k)}
            </div>
          ))}
        <span className="visually-hidden" aria-live="polite">
          {spoken}
        </span>
      </div>
    </>
  );
}
