'use client';
import { type CSSProperties, useEffect, useLayoutEffect, useRef } from 'react';
import type { Raster } from '../charts/raster';

/** What draws a picture. */
export type Pen = OffscreenCanvasRenderingContext2D;

/** One sheet for all pictures, which are handed over to their canvases whole. */
let sheet: OffscreenCanvas | undefined;

/**
 * Draws a picture that stays until the next. A canvas that only shows a bitmap costs nothing while it does not change;
 * one with a drawing context of its own is copied with every frame of the page, whatever changed in it.
 */
function show(canvas: HTMLCanvasElement, width: number, height: number, draw: (context: Pen) => void): void {
  sheet ??= new OffscreenCanvas(width, height);
  if (sheet.width !== width) sheet.width = width;
  if (sheet.height !== height) sheet.height = height;
  const context = sheet.getContext('2d', { willReadFrequently: true });
  if (!context) return;
  context.reset();
  draw(context);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(sheet.transferToImageBitmap());
}

/**
 * Cells at one pixel each, enlarged without smoothing by the style's width and height. `raster` may be what makes them:
 * it is then asked once, when they are drawn.
 */
export function PixelCanvas({ raster, style }: { raster: Raster | (() => Raster); style?: CSSProperties }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const { width, height, pixels } = typeof raster === 'function' ? raster() : raster;
    if (ref.current)
      show(ref.current, width, height, (context) => context.putImageData(new ImageData(pixels, width, height), 0, 0));
  }, [raster]);
  return <canvas ref={ref} style={style} />;
}

/** A canvas of `width` × `height` CSS pixels at device resolution; `draw` runs whenever it changes. */
export function DrawnCanvas(props: {
  width: number;
  height: number;
  pixelRatio: number;
  draw: (context: Pen) => void;
  testId?: string;
  style?: CSSProperties;
}) {
  const { width, height, pixelRatio, draw, testId, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const [across, down] = [width, height].map((length) => Math.max(1, Math.round(length * pixelRatio)));
    if (ref.current)
      show(ref.current, across, down, (context) => {
        context.scale(pixelRatio, pixelRatio);
        draw(context);
      });
  }, [width, height, pixelRatio, draw]);
  return <canvas ref={ref} data-testid={testId} style={{ width, height, ...style }} />;
}
