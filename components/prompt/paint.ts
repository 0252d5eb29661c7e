'use client';
import { type RefObject, useEffect, useLayoutEffect } from 'react';
import { type ColourTable, cssColour, inkOn, TABLE_SIZE } from '@/lib/figures/palette';
import type { DrawnMap } from '../data/drawnMaps';
import { useShownMaps } from '../data/shownMaps';
import { ownToken, shownRow, tokenOfA } from '../data/view';
import { useHover } from '../state/hover';
import { type ModelSlot, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';

type List = RefObject<HTMLElement | null>;
type Mark = RefObject<SVGRectElement | null>;

/** Position on the ramp of what row `row` of model A reads from its token k, or undefined where that is not defined. */
export function readAmount(map: DrawnMap, row: number, k: number): number | undefined {
  const { model } = map.source;
  const [destination, source] = [ownToken(model, row), ownToken(model, k)];
  if (destination === undefined || source === undefined || source > destination || destination >= map.L)
    return undefined;
  return map.scale.position(map.values[destination * map.L + source]);
}

const chipAt = (list: HTMLElement, k: number | undefined): HTMLElement | undefined =>
  k === undefined ? undefined : (list.children[k] as HTMLElement | undefined);

interface Place {
  readonly width: number;
  readonly left: number;
  readonly top: number;
}

const placeOf = (chip: HTMLElement | undefined): Place | undefined =>
  chip && { width: chip.offsetWidth, left: chip.offsetLeft, top: chip.offsetTop };

/** From the top of a token to its mark. */
const MARK_TOP = 3.5;
export const MARK_HEIGHT = 19;

/**
 * Moves a mark onto a token, or hides it where the token is not in view. By attributes: a transform that changes, or a
 * mark outside of its picture, makes the browser sort its layers anew.
 */
function put(mark: SVGRectElement | null, place: Place | undefined, shown: { top: number; height: number }): void {
  const y = place ? place.top - shown.top + MARK_TOP : Number.NaN;
  const visible = y > -MARK_HEIGHT && y < shown.height;
  mark?.setAttribute('visibility', visible ? 'visible' : 'hidden');
  if (!place || !visible) return;
  mark?.setAttribute('width', String(Math.max(0, place.width - 1)));
  mark?.setAttribute('x', String(place.left + 0.5));
  mark?.setAttribute('y', String(y));
}

/** Marks the tokens under the pointer, anywhere on the page, without a render; `view` scrolls, `list` is inside it. */
export function useHoverMarks(view: List, list: List, destinationMark: Mark, sourceMark: Mark): void {
  useEffect(() => {
    const box = view.current;
    const mark = () => {
      const chips = list.current;
      if (!box || !chips) return;
      const { destination, source } = useHover.getState();
      // Everything is measured before anything is moved: a measure after a move lays out the page at once.
      const shown = { top: box.scrollTop, height: box.clientHeight };
      const at = placeOf(chipAt(chips, destination));
      const from = destination === source ? undefined : placeOf(chipAt(chips, source));
      put(destinationMark.current, at, shown);
      put(sourceMark.current, from, shown);
    };
    box?.addEventListener('scroll', mark, { passive: true });
    const stop = useHover.subscribe(mark);
    return () => {
      box?.removeEventListener('scroll', mark);
      stop();
    };
  }, [view, list, destinationMark, sourceMark]);
}

const NOTHING = -1;

const entryOf = (amount: number | undefined) =>
  amount === undefined ? NOTHING : Math.round(amount * (TABLE_SIZE - 1));
const colourOf = (table: ColourTable, entry: number) =>
  entry === NOTHING ? '' : cssColour(table, entry / (TABLE_SIZE - 1));

/**
 * Paints the text itself with what one position reads: the row under the pointer in a map, else the locked one, else
 * the read-out. The words turn light or dark to stay legible.
 */
export function PaintedText({ list, slot, position }: { list: List; slot: ModelSlot; position: number }): null {
  const palette = usePalette();
  const map = useShownMaps().maps.find((drawn) => drawn?.source.model.slot === slot);
  useLayoutEffect(() => {
    const box = list.current;
    if (!box || !map) return;
    const words = [...box.querySelectorAll<HTMLElement>('[data-token] > span')];
    const entries = new Int16Array(words.length).fill(-2);
    let frame = 0;
    const paint = () => {
      frame = 0;
      const { origin, destination } = useHover.getState();
      const hovered = origin === 'map' ? destination : undefined;
      const { model } = map.source;
      const own = shownRow(model, hovered, useSelection.getState().lock?.destination);
      const row = tokenOfA(model, own) ?? position;
      words.forEach((word, k) => {
        const entry = entryOf(readAmount(map, row, k));
        if (entries[k] === entry) return;
        entries[k] = entry;
        word.style.background = colourOf(map.table, entry);
        word.style.color = entry === NOTHING ? 'var(--ink-3)' : inkOn(palette, map.table, entry / (TABLE_SIZE - 1));
      });
    };
    const later = () => {
      frame ||= requestAnimationFrame(paint);
    };
    paint();
    const stops = [useHover.subscribe(later), useSelection.subscribe(later)];
    return () => {
      cancelAnimationFrame(frame);
      for (const stop of stops) stop();
      for (const word of words) {
        word.style.background = '';
        word.style.color = '';
      }
    };
  }, [list, map, palette, position]);
  return null;
}
