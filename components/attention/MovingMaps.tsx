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
    const takeBack = setStage(sheet);
    return () => {
      takeBack();
      sheet.leave();
    };
  }, [sheet]);
  return <div ref={holder} className="moving" aria-hidden="true" />;
}
