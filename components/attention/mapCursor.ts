'use client';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { formatValue } from '@/lib/figures/numbers';
import { following, wholeWindow, zoomedAt } from '../charts/window';
import type { DrawnMap } from '../data/drawnMaps';
import { ownToken, type View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { moveTo, shownWindow } from '../state/motion';
import { type Cell, toggleLock, useSelection } from '../state/selection';
import { inspectedPair } from './inspected';

const SPEAK_AFTER_MS = 300;
const ZOOM_KEYS: Readonly<Record<string, number>> = { '+': 2, '=': 2, '-': 0.5 };

/** The cell one key press away, inside the causal part. `size` is the number of tokens. */
export function nextCell(cell: Cell, key: string, step: number, size: number): Cell | undefined {
  let { destination, source } = cell;
  if (key === 'ArrowUp') destination -= step;
  else if (key === 'ArrowDown') destination += step;
  else if (key === 'ArrowLeft') source -= step;
  else if (key === 'ArrowRight') source += step;
  else if (key === 'Home') source = 0;
  else if (key === 'End') source = destination;
  else return undefined;
  destination = Math.min(size - 1, Math.max(0, destination));
  return { destination, source: Math.min(destination, Math.max(0, source)) };
}

/** "20 bathroom to 51 colon, A +0.160, B +0.740". */
function spokenCell(view: View, { destination, source }: Cell, maps: readonly (DrawnMap | undefined)[]): string {
  const word = (k: number) => `${k} ${view.tokens[k]?.text.trim() ?? ''}`;
  const values = maps.map((map) => {
    if (!map) return '';
    const { model } = map.source;
    const [i, j] = [ownToken(model, destination), ownToken(model, source)];
    const value = i === undefined || j === undefined ? undefined : map.raw[i * map.L + j];
    return `, ${model.slot} ${formatValue(value, map.scale.signed)}`;
  });
  return `${word(source)} to ${word(destination)}${values.join('')}`;
}

/** The cell cursor of a focused map: it is the hover, moved by keys, and a live region says where it is. */
export function useMapCursor(view: View, maps: readonly (DrawnMap | undefined)[]) {
  const [focused, setFocused] = useState(false);
  const [spoken, setSpoken] = useState('');
  const destination = useHover((s) => (focused ? s.destination : undefined));
  const source = useHover((s) => (focused ? s.source : undefined));
  const latest = useRef({ view, maps });
  latest.current = { view, maps };
  useEffect(() => {
    if (destination === undefined || source === undefined) return;
    const timer = setTimeout(
      () => setSpoken(spokenCell(latest.current.view, { destination, source }, latest.current.maps)),
      SPEAK_AFTER_MS,
    );
    return () => clearTimeout(timer);
  }, [destination, source]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const cell = inspectedPair(view, useHover.getState(), useSelection.getState().lock, maps);
    if (event.key === 'Enter') {
      event.preventDefault();
      toggleLock({ destination: cell.destination, source: cell.source });
      return;
    }
    const size = view.tokens.length;
    const window = shownWindow() ?? wholeWindow(size);
    const zoom = ZOOM_KEYS[event.key];
    if (zoom !== undefined) {
      event.preventDefault();
      moveTo(zoomedAt(window, zoom, cell, size));
      return;
    }
    const to = nextCell(cell, event.key, event.shiftKey ? 8 : 1, view.tokens.length);
    if (!to) return;
    event.preventDefault();
    moveTo(following(window, to, size));
    hover({ origin: 'map', ...to });
  };
  return {
    spoken,
    onKeyDown,
    onFocus: () => setFocused(true),
    onBlur: () => {
      setFocused(false);
      clearHover();
    },
  };
}
