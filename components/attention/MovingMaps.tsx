'use client';
import { useEffect, useLayoutEffect, useRef } from 'react';
import { setStage } from '../state/motion';
import { usePalette } from '../state/theme';
import { usePixelRatio } from '../ui/measure';
import type { Maps, MovingSheet } from './MovingSheet';

/** Where the sheet of moving maps is laid over a figure. */
export function MovingMaps({ sheet, ...maps }: Omit<Maps, 'mask' | 'pixelRatio'> & { sheet: MovingSheet }) {
  const holder = useRef<HTMLDivElement>(null);
  const { mask } = usePalette();
  const pixelRatio = usePixelRatio();
  useLayoutEffect(() => sheet.update({ ...maps, mask, pixelRatio }, holder.current));
  useEffect(() => {
    if (!('transferControlToOffscreen' in HTMLCanvasElement.prototype)) return;
    const takeBack = setStage(sheet);
    const figure = holder.current?.parentElement;
    const ended = new AbortController();
    const prepare = () => void sheet.prepare();
    for (const near of ['pointerover', 'focusin'])
      figure?.addEventListener(near, prepare, { once: true, passive: true, signal: ended.signal });
    return () => {
      ended.abort();
      takeBack();
      sheet.leave();
    };
  }, [sheet]);
  return <div ref={holder} className="moving" aria-hidden="true" />;
}
