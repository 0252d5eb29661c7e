'use client';
import { memo, useCallback } from 'react';
import { formatPlain } from '@/lib/figures/numbers';
import { cssColour } from '@/lib/figures/palette';
import { caretPath, legendMarks, RAMP_HEIGHT, RAMP_MARGIN, RAMP_WIDTH } from '../charts/legend';
import { exceeds } from '../charts/values';
import type { DrawnMap } from '../data/drawnMaps';
import type { MapPanel } from '../data/panels';
import { ownToken } from '../data/view';
import { holdsIdentity, quantityOf } from '../state/forms';
import { useHover } from '../state/hover';
import { spanOf, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { DrawnCanvas } from '../ui/canvas';
import type { Pen } from '../ui/drawings';
import { usePixelRatio } from '../ui/measure';
import { PanelMark } from './MapHeading';

/** Two carets, A above and B below the ramp, at the hovered cell's value. */
function Carets({ maps }: { maps: readonly DrawnMap[] }) {
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  return maps.map((map, k) => {
    const { model } = map.source;
    const [i, j] = [ownToken(model, destination), ownToken(model, source)];
    if (i === undefined || j === undefined || j > i || i >= map.L) return null;
    const shape = caretPath(map.scale, map.values[i * map.L + j], model.slot);
    // biome-ignore lint/suspicious/noArrayIndexKey: branches of one model are known by their place.
    return <path key={k} className={`${model.slot}-fill`} d={shape} />;
  });
}

function Ramp({ maps }: { maps: readonly DrawnMap[] }) {
  const [{ scale, table }] = maps;
  const pixelRatio = usePixelRatio();
  const draw = useCallback(
    (context: Pen) => {
      for (let x = 0; x < RAMP_WIDTH; x++) {
        context.fillStyle = cssColour(table, x / (RAMP_WIDTH - 1));
        context.fillRect(x, 0, 1, RAMP_HEIGHT);
      }
    },
    [table],
  );
  const over = exceeds(
    maps.map(({ half }) => half),
    scale.limit,
  );
  const { ticks, arrows } = legendMarks(scale, over);
  return (
    <div className="ramp">
      <DrawnCanvas
        width={RAMP_WIDTH}
        height={RAMP_HEIGHT}
        pixelRatio={pixelRatio}
        draw={draw}
        style={{ left: RAMP_MARGIN }}
      />
      <svg width={RAMP_WIDTH + 2 * RAMP_MARGIN} height="36" aria-hidden="true">
        {ticks.map(({ x, text }, k) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: ticks are known by their place.
          <g key={k}>
            <path className="rule" d={`M${x},${RAMP_HEIGHT}v4`} />
            <text className="axis" x={x} y="25" textAnchor="middle">
              {text}
            </text>
          </g>
        ))}
        {arrows.map((path) => (
          <path key={path} className="ink" d={path} />
        ))}
        <Carets maps={maps} />
      </svg>
    </div>
  );
}

/** Where colours saturate, in words. */
function saturationRule(clip: number, limit: number | null): string {
  if (limit !== null) return `saturates at ${formatPlain(limit)}`;
  return clip >= 1 ? 'up to the largest value' : `saturates at the ${Number((clip * 100).toPrecision(4))}th percentile`;
}

/** Panels that are drawn on one scale and ramp, with the name that tells them apart. */
function rampGroups(panels: readonly MapPanel[]): { name: string; maps: DrawnMap[] }[] {
  const groups = new Map<string, { name: string; maps: DrawnMap[] }>();
  for (const { name, drawn } of panels) {
    if (!drawn) continue;
    const key = `${drawn.kind} ${drawn.scale.limit}`;
    const group = groups.get(key) ?? { name, maps: [] };
    group.maps.push(drawn);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Ramp, ticks, quantity, what is shared, and the colours that are not values. */
export const Legend = memo(function Legend({ panels }: { panels: readonly MapPanel[] }) {
  const values = useSelection((s) => s.values);
  const form = useSelection((s) => s.form);
  const softmax = panels.some(({ entry }) => entry.map?.metadata.form === 'softmax');
  const { quantity, unit } = quantityOf(softmax ? 'softmax' : form, useSelection(spanOf));
  const identity = useSelection((s) => !holdsIdentity(spanOf(s)));
  const clip = useSelection((s) => s.clip);
  const limit = useSelection((s) => s.limit);
  const palette = usePalette();
  const groups = rampGroups(panels);
  if (groups.length === 0) return <div className="legend" style={{ minHeight: 36 }} />;
  const sharing =
    panels.length === 1
      ? 'one map'
      : groups.length > 1
        ? 'each map on its own scale'
        : panels.some(({ branch }) => branch)
          ? 'one scale for all branches'
          : 'one scale for both models';
  return (
    <div className="legend" data-export="key">
      {groups.map(({ name, maps }, k) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: ramps are known by their place; the same ramps take other scales.
        <div key={k} style={{ display: 'flex', gap: 6 }}>
          {groups.length > 1 && <PanelMark name={name} small />}
          <Ramp maps={maps} />
        </div>
      ))}
      <div className="note words">
        <b>{quantity}</b>
        {identity ? '' : ', drawn without I'} · {values === 'row' ? 'share of the row’s Σ|·|' : unit}
        <br />
        {sharing}
        {values === 'log' ? ', logarithmic' : ''}, {saturationRule(clip, limit)}
      </div>
      <span className="grow" />
      <div className="note swatches">
        <i style={{ background: palette.mask }} />
        not causal
        <br />
        <i style={{ background: palette.zero }} />
        zero
      </div>
    </div>
  );
});
