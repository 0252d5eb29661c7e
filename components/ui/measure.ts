'use client';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { create } from 'zustand';

const NARROW = '(max-width: 900px)';

function subscribeTo(query: string) {
  return (notify: () => void) => {
    const media = matchMedia(query);
    media.addEventListener('change', notify);
    return () => media.removeEventListener('change', notify);
  };
}
const subscribeNarrow = subscribeTo(NARROW);
const subscribePixelRatio = subscribeTo('(resolution: 1dppx)');

/** While a figure is made for print: how wide the page is laid out for it, in pixels; else null. */
export const usePaper = create<{ readonly width: number | null }>()(() => ({ width: null }));

/** Below this width of a printed figure its panels are those of a narrow screen. */
const NARROW_PAPER = 560;

export function useNarrow(): boolean {
  const paper = usePaper((s) => s.width);
  const screen = useSyncExternalStore(
    subscribeNarrow,
    () => matchMedia(NARROW).matches,
    () => false,
  );
  return paper === null ? screen : paper < NARROW_PAPER;
}

/** The width of the element that takes the ref, 0 until it is known. */
export function useWidth(): [(element: HTMLElement | null) => void, number] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [useCallback((next) => setElement(next), []), width];
}

export const usePixelRatio = (): number =>
  useSyncExternalStore(
    subscribePixelRatio,
    () => window.devicePixelRatio || 1,
    () => 1,
  );

/** Changes once the page's own fonts are there, so that canvas text is drawn again in them. */
export function useFontsReady(): boolean {
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let live = true;
    Promise.all([
      document.fonts.load("500 10.5px 'IBM Plex Mono'"),
      document.fonts.load("600 11px 'Inter Variable'"),
    ]).then(
      () => live && setReady(true),
      () => undefined,
    );
    return () => {
      live = false;
    };
  }, []);
  return ready;
}
