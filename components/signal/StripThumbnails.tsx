'use client';
import { useMemo } from 'react';
import type { Thumbnails } from '@/lib/api/client';
import { peakOf, toHalf } from '../charts/half';
import { colourTable } from '../charts/palette';
import { Pyramid, wholeMap } from '../charts/pyramid';
import { lookUp, rasterise } from '../charts/raster';
import { rowShares, saturation, valueScale } from '../charts/values';
import type { View } from '../data/view';
import { isSignedReduction, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { PixelCanvas } from '../ui/canvas';
import { usePixelRatio } from '../ui/measure';
import type { StripLayout } from './stripLayout';

/** Small maps saturate at half the shared limit, so that their faint structure still shows. */
const THUMBNAIL_GAIN = 0.5;

/** One small map per layer and model, on the scale and reduction of the large ones. */
export function StripThumbnails(props: {
  view: View;
  thumbnails: readonly (Thumbnails | undefined)[];
  strip: StripLayout;
}) {
  const { view, thumbnails, strip } = props;
  const mode = useSelection((s) => s.values);
  const shared = useSelection((s) => s.sharedScale);
  const signed = useSelection((s) => isSignedReduction(s.reduction));
  const palette = usePalette();
  const pixelRatio = usePixelRatio();
  const pixels = Math.round(strip.thumbnail * pixelRatio);
  const rasters = useMemo(() => {
    const drawn = thumbnails.map((entry) =>
      entry ? entry.layers.map((values) => (mode === 'row' ? rowShares(values, entry.size) : values)) : [],
    );
    // One peak for all: one unit, hence one look-up a scale.
    const peak = peakOf(drawn.flat());
    const layers = drawn.map((maps, m) => maps.map((values) => toHalf(values, thumbnails[m]?.size ?? 1, peak)));
    const limitOfAll = saturation(layers.flat());
    const table = colourTable(palette, signed ? 'diverging' : 'sequential');
    return layers.map((maps) => {
      if (maps.length === 0) return [];
      const scale = valueScale((shared ? limitOfAll : saturation(maps)) * THUMBNAIL_GAIN, signed, mode);
      const colours = lookUp(scale, table, palette.mask, maps[0].unit);
      const size = { width: pixels, height: pixels };
      return maps.map((map) => rasterise(new Pyramid(map), colours, wholeMap(map.L), size));
    });
  }, [thumbnails, mode, shared, signed, palette, pixels]);
  const side = strip.thumbnail;
  return view.models.flatMap((model, m) =>
    Array.from({ length: strip.count }, (_, k) => strip.first + k)
      .filter((layer) => layer < model.layers)
      .map((layer) => {
        const style = {
          left: Math.round(strip.thumbnailX(layer) - side / 2),
          top: strip.thumbnailTops[m],
          width: side,
          height: side,
        };
        const raster = layer < model.model.mapsReady ? rasters[m][layer] : undefined;
        return raster ? (
          <PixelCanvas key={`${model.slot}${layer}`} raster={raster} style={style} />
        ) : (
          <div key={`${model.slot}${layer}`} style={{ position: 'absolute', background: 'var(--sunken)', ...style }} />
        );
      }),
  );
}
