'use client';
import { type CSSProperties, useEffect, useLayoutEffect, useRef } from 'react';
import type { Raster } from '../charts/raster';

/** Cells at one pixel each, enlarged without smoothing by the style's width and height. */
export function PixelCanvas({ raster, style }: { raster: Raster; style?: CSSProperties }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    if (canvas.width !== raster.width) canvas.width = raster.width;
    if (canvas.height !== raster.height) canvas.height = raster.height;
    canvas.getContext('2d')?.putImageData(new ImageData(raster.pixels, raster.width, raster.height), 0, 0);
  }, [raster]);
  return <canvas ref={ref} style={style} />;
}

/** A canvas of `width` × `height` CSS pixels at device resolution; `draw` runs whenever it changes. */
export function DrawnCanvas(props: {
  width: number;
  height: number;
  pixelRatio: number;
  draw: (context: CanvasRenderingContext2D) => void;
  style?: CSSProperties;
}) {
  const { width, height, pixelRatio, draw, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d');
    if (!canvas || !context) return;
    canvas.width = Math.max(1, Math.round(width * pixelRatio));
    canvas.height = Math.max(1, Math.round(height * pixelRatio));
    context.scale(pixelRatio, pixelRatio);
    draw(context);
  }, [width, height, pixelRatio, draw]);
  return <canvas ref={ref} style={{ width, height, ...style }} />;
}
