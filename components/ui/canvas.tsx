'use client';
import { type CSSProperties, memo, useEffect, useLayoutEffect, useRef } from 'react';
import type { Raster } from '../charts/raster';
import { keepDrawing, type Pen } from './drawings';
import { Pictures } from './pictures';

/** One sheet for all pictures, which are handed over to their canvases whole. */
let sheet: OffscreenCanvas | undefined;

function drawn(width: number, height: number, draw: (context: Pen) => void): ImageBitmap | undefined {
  sheet ??= new OffscreenCanvas(width, height);
  if (sheet.width !== width) sheet.width = width;
  if (sheet.height !== height) sheet.height = height;
  const context = sheet.getContext('2d', { willReadFrequently: true });
  if (!context) return undefined;
  context.reset();
  draw(context);
  return sheet.transferToImageBitmap();
}

const pictures = new Pictures<object, ImageBitmap>((picture) => picture.close());

/** What a canvas is to show that was promised a copy. */
const wanted = new WeakMap<HTMLCanvasElement, object>();

/**
 * A canvas that only shows a bitmap costs nothing while it does not change; one with a drawing context of its own is
 * copied with every frame of the page, whatever changed in it.
 */
function put(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  const { width, height } = picture;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(picture);
}

/**
 * Shows what `make` draws, until the next picture. With a `key` the picture is kept, and drawn only if none is kept
 * under that key; what the canvas gets is then a copy, which shares the pixels.
 */
function show(canvas: HTMLCanvasElement, make: () => ImageBitmap | undefined, key?: object): void {
  const picture = key ? pictures.of(key, make) : make();
  if (!picture) return;
  if (!key) {
    wanted.delete(canvas);
    put(canvas, picture);
    return;
  }
  wanted.set(canvas, key);
  void createImageBitmap(picture).then((copy) => {
    if (wanted.get(canvas) === key) put(canvas, copy);
    else copy.close();
  });
}

/**
 * Cells at one pixel each, enlarged without smoothing by the style's width and height. `raster` may be what makes them:
 * then the picture is kept for it, and the same maker is asked again only when its picture was given up.
 */
export const PixelCanvas = memo(function PixelCanvas(props: {
  raster: Raster | (() => Raster);
  style?: CSSProperties;
}) {
  const { raster, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (!ref.current) return;
    const draw = () => {
      const { width, height, pixels } = typeof raster === 'function' ? raster() : raster;
      return drawn(width, height, (context) => context.putImageData(new ImageData(pixels, width, height), 0, 0));
    };
    show(ref.current, draw, typeof raster === 'function' ? raster : undefined);
  }, [raster]);
  return <canvas ref={ref} style={style} />;
});

/**
 * A canvas of `width` × `height` CSS pixels at device resolution; `draw` runs whenever it changes. With `keep` the
 * picture is kept for `draw`, which then draws in one size only.
 */
export function DrawnCanvas(props: {
  width: number;
  height: number;
  pixelRatio: number;
  draw: (context: Pen) => void;
  keep?: boolean;
  testId?: string;
  style?: CSSProperties;
}) {
  const { width, height, pixelRatio, draw, keep, testId, style } = props;
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const [across, down] = [width, height].map((length) => Math.max(1, Math.round(length * pixelRatio)));
    if (!ref.current) return;
    keepDrawing(ref.current, { width, height, draw });
    const make = () =>
      drawn(across, down, (context) => {
        context.scale(pixelRatio, pixelRatio);
        draw(context);
      });
    show(ref.current, make, keep ? draw : undefined);
  }, [width, height, pixelRatio, draw, keep]);
  return <canvas ref={ref} data-testid={testId} style={{ width, height, ...style }} />;
}
