'use client';
import { memo, useMemo } from 'react';
import { colourTable, type Palette } from '@/lib/figures/palette';
import { type HalfMap, peakOf, toHalf } from '../charts/half';
import { Pyramid, wholeMap } from '../charts/pyramid';
import { lookUp, type Raster, rasterise } from '../charts/raster';
import { rowShares, saturation, type ValueMode, valueScale } from '../charts/values';
import { type SmallMaps, useThumbnails } from '../data/thumbnails';
import { hasBranches, type View } from '../data/view';
import { isOfSizes, isSigned, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { PixelCanvas } from '../ui/canvas';
import { usePixelRatio } from '../ui/measure';
import { Recent } from '../ui/recent';
import { useSteady } from '../ui/steady';
import type { StripLayout } from './stripLayout';

/** Small maps saturate at half the shared limit, so that their faint structure still shows. */
const THUMBNAIL_GAIN = 0.5;

/** Thumbnails are computed at most this many cells a side. */
const CELLS = 56;

interface Look {
  readonly mode: ValueMode;
  readonly shared: boolean;
  readonly signed: boolean;
  /** Where colours saturate, as on the large maps: a quantile, or a value that was given. */
  readonly clip: number;
  readonly limit: number | null;
  readonly palette: Palette;
  /** Device pixels a side. */
  readonly pixels: number;
}

/** What makes the picture of every layer of every model. */
function makers(thumbnails: readonly (SmallMaps | undefined)[], look: Look): readonly (readonly (() => Raster)[])[] {
  const { mode, shared, signed, clip, limit, palette, pixels } = look;
  const drawn = thumbnails.map((entry) =>
    entry ? entry.layers.map((values) => (mode === 'row' ? rowShares(values, entry.size) : values)) : [],
  );
  // One peak for all: one unit, hence one look-up a scale.
  const peak = peakOf(drawn.flat());
  const layers = drawn.map((maps, m) => maps.map((values) => toHalf(values, thumbnails[m]?.size ?? 1, peak)));
  const limitOf = (maps: readonly HalfMap[]) => limit ?? saturation(maps, clip) * THUMBNAIL_GAIN;
  const limitOfAll = limitOf(layers.flat());
  const table = colourTable(palette, signed ? 'diverging' : 'sequential');
  return layers.map((maps) => {
    if (maps.length === 0) return [];
    const scale = valueScale(shared ? limitOfAll : limitOf(maps), signed, mode);
    const colours = lookUp(scale, table, palette.mask, maps[0].unit);
    const size = { width: pixels, height: pixels };
    return maps.map((map) => () => rasterise(new Pyramid(map), colours, wholeMap(map.L), size));
  });
}

/** The branches between which one goes to and fro. */
const made = new Recent<ReturnType<typeof makers>>(4);

/** One small map per layer and model, on the scale and reduction of the large ones. */
export const StripThumbnails = memo(function StripThumbnails({ view, strip }: { view: View; strip: StripLayout }) {
  const thumbnails = useSteady(useThumbnails(view, CELLS));
  const mode = useSelection((s) => s.values);
  const shared = useSelection((s) => s.sharedScale);
  const subtracts = view.models.some(({ model }) => model.blocks.some(hasBranches));
  // Of every layer by itself, also where the large map is a product.
  const signed = useSelection((s) => {
    const own = { ...s, span: 'layer' } as const;
    return isSigned(own) || (isOfSizes(own) && s.branch === 'diff' && subtracts);
  });
  const clip = useSelection((s) => s.clip);
  const limit = useSelection((s) => s.limit);
  const palette = usePalette();
  const pixels = Math.round(strip.thumbnail * usePixelRatio());
  const rasters = useMemo(
    () =>
      made.recall([...thumbnails, mode, shared, signed, clip, limit, palette, pixels], () =>
        makers(thumbnails, { mode, shared, signed, clip, limit, palette, pixels }),
      ),
    [thumbnails, mode, shared, signed, clip, limit, palette, pixels],
  );
  const places = useMemo(() => {
    const side = strip.thumbnail;
    return view.models.map((_, m) =>
      Array.from({ length: strip.count }, (_unused, k) => ({
        left: Math.round(strip.thumbnailX(strip.first + k) - side / 2),
        top: strip.thumbnailTops[m],
        width: side,
        height: side,
      })),
    );
  }, [view.models, strip]);
  return view.models.flatMap((model, m) =>
    places[m].flatMap((style, k) => {
      const layer = strip.first + k;
      if (layer >= model.layers) return [];
      const raster = layer < model.model.mapsReady ? rasters[m][layer] : undefined;
      const key = `${model.slot}${layer}`;
      return raster ? (
        <PixelCanvas key={key} raster={raster} style={style} />
      ) : (
        <div key={key} style={{ position: 'absolute', background: 'var(--sunken)', ...style }} />
      );
    }),
  );
});
