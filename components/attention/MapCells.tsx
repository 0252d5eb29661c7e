'use client';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { HalfMap } from '../charts/half';
import type { Region } from '../charts/pyramid';
import { lookUp, Memory, type Raster, rasterise } from '../charts/raster';
import type { MapFrame } from '../charts/window';
import { type DrawnMap, errorTooLarge } from '../data/drawnMaps';
import type { MapPanel } from '../data/panels';
import { usePalette } from '../state/theme';
import { PixelCanvas } from '../ui/canvas';
import { usePixelRatio } from '../ui/measure';
import { Recent } from '../ui/recent';
import { drawInWorker } from './rasterService';

/** Larger maps are drawn in the browser worker. */
const AT_ONCE = 512;

const memory = new Memory();
/** Two models, three branches of a layer and of the one before. */
const KEPT = 12;

interface Picture {
  readonly raster: Raster | (() => Raster);
  /** What it shows; while the worker draws the next region, the last one is stretched into its place. */
  readonly region: Region;
  readonly half: HalfMap;
}

const atOncePictures = new Recent<Picture>(KEPT);

/** The picture of a region: at once, or for large maps as soon as the worker has drawn it, one request at a time. */
function usePicture(drawn: DrawnMap | undefined, region: Region, pixels: number): Picture | undefined {
  const { mask } = usePalette();
  const { half, pyramid, scale, table } = drawn ?? {};
  const large = half !== undefined && half.L > AT_ONCE;
  const size = useMemo(() => ({ width: pixels, height: pixels }), [pixels]);
  const colours = useMemo(
    () => (scale && table && half ? lookUp(scale, table, mask, half.unit) : undefined),
    [scale, table, half, mask],
  );
  const atOnce = useMemo(
    () =>
      !large && half && pyramid && colours
        ? atOncePictures.recall([half, colours, region, pixels], () => {
            return { raster: () => rasterise(pyramid, colours, region, size, { memory }), region, half };
          })
        : undefined,
    [large, half, pyramid, colours, region, size, pixels],
  );
  const [late, setLate] = useState<Picture>();
  const wanted = useRef<() => Promise<Picture>>(undefined);
  const busy = useRef(false);
  useEffect(() => {
    if (!large || !half || !colours) return;
    wanted.current = async () => ({ raster: await drawInWorker(half, colours, region, size), region, half });
    if (busy.current) return;
    busy.current = true;
    void (async () => {
      for (let next = wanted.current; next; next = wanted.current) {
        wanted.current = undefined;
        setLate(await next());
      }
      busy.current = false;
    })();
  }, [large, half, colours, region, size]);
  return large ? (late?.half === half ? late : undefined) : atOnce;
}

/** The cells of one map, or the frame that waits for them. */
export function MapCells(props: {
  panel: MapPanel;
  frame: MapFrame;
  left: number;
  top: number;
  layer: number;
  ended: boolean;
  /** Hears which region stands on the page. */
  onShown: (key: string, region: Region | undefined) => void;
}) {
  const { panel, frame, left, top, layer, ended, onShown } = props;
  const { entry, drawn } = panel;
  const pixels = Math.round(frame.size * usePixelRatio());
  const picture = usePicture(drawn, frame.region, pixels);
  const { key } = panel;
  useLayoutEffect(() => onShown(key, picture?.region), [key, picture, onShown]);
  const box = { left, top, width: frame.size, height: frame.size };
  const doubtful = errorTooLarge(entry.map?.metadata.reconstruction_error);
  if (!picture)
    return (
      <div className="waiting" style={box}>
        {entry.error ??
          (layer >= entry.model.layers
            ? 'this model has no such layer'
            : entry.ready
              ? (entry.note ?? '')
              : `layer ${layer} ${ended ? 'was not computed' : 'waits'}`)}
      </div>
    );
  const { row0, row1, column0, column1 } = picture.region;
  return (
    <div className={doubtful ? 'cells doubtful' : 'cells'} data-export="cells" style={box}>
      <PixelCanvas
        raster={picture.raster}
        style={{
          left: frame.x(column0),
          top: frame.y(row0),
          width: (column1 - column0) * frame.cellWidth,
          height: (row1 - row0) * frame.cellHeight,
        }}
      />
    </div>
  );
}
