'use client';
import { type CSSProperties, useEffect, useLayoutEffect, useRef } from 'react';
import type { Raster } from '../charts/raster';

/** Pictures that seldom change: drawn in memory, they are part of the page around them and no layers of their own. */
const STILL: CanvasRenderingContext2DSettings = { willReadFrequently: true };

/**
 * Cells at one pixel each, enlarged without smoothing by the style's width and height. `moves`: the picture changes
 * its size or place often, as a map that is zoomed.
 */
export function PixelCanvas(props: { raster: Raster; style?: CSSProperties; moves?: boolean }) {
  const { raster, style, moves } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    if (canvas.width !== raster.width) canvas.width = raster.width;
    if (canvas.height !== raster.height) canvas.height = raster.height;
    canvas
      .getContext('2d', moves ? undefined : STILL)
      ?.putImageData(new ImageData(raster.pixels, raster.width, raster.height), 0, 0);
  }, [raster, moves]);
  return <canvas ref={ref} style={style} />;
}

/** A canvas of `width` × `height` CSS pixels at device resolution; `draw` runs whenever it changes. */
export function DrawnCanvas(props: {
  width: number;
  height: number;
  pixelRatio: number;
  draw: (context: CanvasRenderingContext2D) => void;
  testId?: string;
  style?: CSSProperties;
}) {
  const { width, height, pixelRatio, draw, testId, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d', STILL);
    if (!canvas || !context) return;
    const [across, down] = [width, height].map((length) => Math.max(1, Math.round(length * pixelRatio)));
    // A new size empties a canvas; the same one would only make its memory anew.
    if (canvas.width !== across) canvas.width = across;
    if (canvas.height !== down) canvas.height = down;
    context.reset();
    context.scale(pixelRatio, pixelRatio);
    draw(context);
  }, [width, height, pixelRatio, draw]);
  return <canvas ref={ref} data-testid={testId} style={{ width, height, ...style }} />;
}
