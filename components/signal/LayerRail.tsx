'use client';
import { memo, useEffect, useMemo, useState } from 'react';
import type { Signal } from '@/lib/api/readings';
import { colourTable, cssColour } from '@/lib/figures/palette';
import { layerAxis } from '../charts/layerAxis';
import { lensAmount } from '../charts/lensCells';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { usePalette } from '../state/theme';
import { AxisTicks } from '../ui/AxisParts';
import { HitArea } from '../ui/HitArea';
import { useWidth } from '../ui/measure';

const BAND = 6;
const BANDS_TOP = 20;

/** Whether the section with the layer strip has been scrolled off, upwards. */
function useScrolledPast(id: string): boolean {
  const [past, setPast] = useState(false);
  useEffect(() => {
    const section = document.getElementById(id);
    if (!section) return;
    const observer = new IntersectionObserver(
      ([entry]) => setPast(!entry.isIntersecting && entry.boundingClientRect.bottom < 100),
      { rootMargin: '-56px 0px 0px 0px' },
    );
    observer.observe(section);
    return () => observer.disconnect();
  }, [id]);
  return past;
}

/** The hovered layer; only this is redrawn on hover. */
function RailHover({ x, layer }: { x: (layer: number) => number; layer: number }) {
  const hovered = useHover((s) => s.layer);
  if (hovered === undefined || hovered === layer) return null;
  const at = Math.round(x(hovered)) + 0.5;
  return <line className="hovered" x1={at} x2={at} y1="0" y2="37" strokeDasharray="2 2" strokeOpacity=".6" />;
}

/** The layer axis with p(target) of both models as bands, under the top bar while the strip is out of sight. */
export const LayerRail = memo(function LayerRail(props: { view: View; signals: readonly (Signal | undefined)[] }) {
  const { view, signals } = props;
  const shown = useScrolledPast('signal');
  const [ref, width] = useWidth();
  const table = colourTable(usePalette(), 'sequential');
  const axis = useMemo(() => layerAxis(width, view.layers, false), [width, view.layers]);
  const bands = useMemo(
    () =>
      signals.map((signal) =>
        signal
          ? metricOnAxis(signal, 'p', view.layers).map((p) =>
              typeof p === 'number'
                ? cssColour(
                    table,
                    lensAmount({ topId: 0, topProb: 0, targetProb: p, targetRank: 1, entropy: 0, kl: 0 }, 'target', 2),
                  )
                : undefined,
            )
          : [],
      ),
    [signals, view.layers, table],
  );
  return (
    <div className={shown ? 'rail shown' : 'rail'} data-testid="rail" aria-hidden="true">
      <div className="figure" ref={ref}>
        {shown && width > 0 && (
          <>
            <svg className="layer" width={width} height="37" aria-hidden="true">
              <AxisTicks axis={axis} layer={view.layer} y={14} pill />
              <text className="axis" x="0" y="30">
                p(target)
              </text>
              {view.models.map(({ slot }, row) => (
                <g key={slot} transform={`translate(0,${BANDS_TOP + row * (BAND + 1)})`}>
                  <rect className={`${slot}-fill`} x={axis.gutter - 12} width={BAND} height={BAND} rx="1" />
                  {bands[row].map((colour, entry) => (
                    <rect
                      // biome-ignore lint/suspicious/noArrayIndexKey: layers are known by their place.
                      key={entry}
                      x={axis.gutter + entry * axis.pitch}
                      width={axis.pitch + 0.5}
                      height={BAND}
                      fill={colour ?? 'var(--sunken)'}
                    />
                  ))}
                </g>
              ))}
              <RailHover x={axis.x} layer={view.layer} />
            </svg>
            <HitArea
              testId="rail-hit"
              style={{ left: axis.gutter, top: 0, width: width - axis.gutter, height: 37 }}
              onPoint={(x) => hover({ origin: 'strip', layer: axis.at(x + axis.gutter) })}
              onLeave={clearHover}
              onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), view.layers - 1) })}
            />
          </>
        )}
      </div>
    </div>
  );
});
