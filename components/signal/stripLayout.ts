import { focusWindow, type LayerAxis } from '../charts/layerAxis';

/** Heights and places of the strip under the curve. */
export interface StripLayout {
  readonly height: number;
  readonly axisHeight: number;
  /** Side of a thumbnail. */
  readonly thumbnail: number;
  /** Top of each model's thumbnails. */
  readonly thumbnailTops: readonly number[];
  readonly lambdaTop: number;
  readonly lambdaHeight: number;
  /** Top of each model's lens row. */
  readonly lensTops: readonly number[];
  readonly lensHeight: number;
  /** Layers with a thumbnail: all, or a window around the selection where the screen is too narrow for them. */
  readonly first: number;
  readonly count: number;
  readonly thumbnailX: (layer: number) => number;
  /** Layer under a point; the thumbnails of a window have an axis of their own. */
  readonly at: (x: number, y: number) => number;
}

const LENS_HEIGHT = 20;
const LAMBDA_HEIGHT = 22;
const NARROW_WINDOW = 11;

export function stripLayout(axis: LayerAxis, layer: number, models: number, withLambda: boolean): StripLayout {
  const { narrow, layers, pitch, gutter, width } = axis;
  const windowed = narrow && layers > NARROW_WINDOW;
  const { first, count } = windowed ? focusWindow(layers, layer, NARROW_WINDOW) : { first: 0, count: layers };
  const thumbnailPitch = windowed ? (width - gutter) / count : pitch;
  const thumbnail = Math.max(4, Math.floor(Math.min(thumbnailPitch - 2, narrow ? 44 : 56)));
  const axisHeight = 20;
  const connector = windowed ? 14 : 0;
  const top = axisHeight + connector + 2;
  const rows = Array.from({ length: models }, (_, k) => k);
  const thumbnailTops = rows.map((k) => top + k * (thumbnail + 3));
  const lambdaTop = top + models * (thumbnail + 3) + 3;
  const lambdaHeight = withLambda ? LAMBDA_HEIGHT : 0;
  const lensTop = lambdaTop + lambdaHeight + (withLambda ? 6 : 2);
  const lensTops = rows.map((k) => lensTop + k * (LENS_HEIGHT + 1));
  const thumbnailX = (l: number) => (windowed ? gutter + (l - first + 0.5) * thumbnailPitch : axis.x(l));
  return {
    height: lensTop + models * (LENS_HEIGHT + 1) + 7,
    axisHeight,
    thumbnail,
    thumbnailTops,
    lambdaTop,
    lambdaHeight,
    lensTops,
    lensHeight: LENS_HEIGHT,
    first,
    count,
    thumbnailX,
    at: (x, y) =>
      windowed && y > axisHeight && y < lambdaTop
        ? Math.min(layers - 1, Math.max(0, Math.floor((x - gutter) / thumbnailPitch) + first))
        : axis.at(x),
  };
}
