'use client';
import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react';
import type { DrawnMap } from '../attention/drawnMaps';
import { shownRow } from '../attention/MapOverlay';
import { type ColourTable, cssColour, inkOn, type Palette, TABLE_SIZE } from '../charts/palette';
import { ownToken, tokenOfA } from '../data/view';
import { useHover } from '../state/hover';
import { type ModelSlot, useSelection } from '../state/selection';

type Maps = readonly (DrawnMap | undefined)[];
type List = RefObject<HTMLElement | null>;

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

/** Puts a mark of its own layer on a token, so that no token is drawn again. */
function put(mark: HTMLElement | null, place: Place | undefined, scrollTop: number): void {
  if (!mark) return;
  mark.style.visibility = place ? 'visible' : 'hidden';
  if (!place) return;
  mark.style.width = `${place.width}px`;
  mark.style.transform = `translate(${place.left}px, ${place.top - scrollTop}px)`;
}

/** Marks the tokens under the pointer, anywhere on the page, without a render; `view` scrolls, `list` is inside it. */
export function useHoverMarks(view: List, list: List, destinationMark: List, sourceMark: List): void {
  useEffect(() => {
    const box = view.current;
    const mark = () => {
      const chips = list.current;
      if (!box || !chips) return;
      const { destination, source } = useHover.getState();
      // Everything is measured before anything is moved: a measure after a move lays out the page at once.
      const { scrollTop } = box;
      const at = placeOf(chipAt(chips, destination));
      const from = destination === source ? undefined : placeOf(chipAt(chips, source));
      put(destinationMark.current, at, scrollTop);
      put(sourceMark.current, from, scrollTop);
    };
    box?.addEventListener('scroll', mark, { passive: true });
    const stop = useHover.subscribe(mark);
    return () => {
      box?.removeEventListener('scroll', mark);
      stop();
    };
  }, [view, list, destinationMark, sourceMark]);
}

/** Index in the colour table that an element carries now, so that it is not set again. */
const painted = new WeakMap<Element, number>();
const NOTHING = -1;

const entryOf = (amount: number | undefined) =>
  amount === undefined ? NOTHING : Math.round(amount * (TABLE_SIZE - 1));
const colourOf = (table: ColourTable, entry: number) =>
  entry === NOTHING ? '' : cssColour(table, entry / (TABLE_SIZE - 1));

/** Tokens [from, to) of a list, line by line, that are in view. Cost: a few measures, however long the prompt is. */
function inView(view: HTMLElement, list: HTMLElement): [number, number] {
  const chips = list.children;
  const first = (beyond: (chip: HTMLElement) => boolean) => {
    let [low, high] = [0, chips.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (beyond(chips[middle] as HTMLElement)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const { scrollTop, clientHeight } = view;
  return [
    first(({ offsetTop, offsetHeight }) => offsetTop + offsetHeight > scrollTop),
    first(({ offsetTop }) => offsetTop >= scrollTop + clientHeight),
  ];
}

/**
 * Two lanes under each token: what the read-out position reads from it, A above B. `row` is a token of A. Only tokens
 * in view are coloured, the others when they scroll into it: a long prompt costs no more than a short one.
 */
export function useLanes(view: List, list: List, maps: Maps, lanes: readonly ModelSlot[], row: number): void {
  const paint = useRef<(from: number, to: number) => void>(undefined);
  const seen = useRef<[number, number]>([0, 0]);
  useLayoutEffect(() => {
    paint.current = (from, to) => {
      const chips = list.current?.children;
      if (!chips) return;
      for (const [lane, slot] of lanes.entries()) {
        const map = maps.find((drawn) => drawn?.source.model.slot === slot);
        for (let k = from; k < Math.min(to, chips.length); k++) {
          const strip = chips[k].children[1 + lane] as HTMLElement | undefined;
          if (!strip) continue;
          const entry = entryOf(map && readAmount(map, row, k));
          // Themes and ramps have tables of their own; an index alone does not say the colour.
          const key = entry === NOTHING ? NOTHING : entry + 1000 * (map?.table[0] ?? 0);
          if (painted.get(strip) === key) continue;
          painted.set(strip, key);
          strip.style.background = map ? colourOf(map.table, entry) : '';
        }
      }
    };
    paint.current(...seen.current);
  }, [list, maps, lanes, row]);
  useEffect(() => {
    const [box, chips] = [view.current, list.current];
    if (!box || !chips) return;
    const look = () => {
      seen.current = inView(box, chips);
      paint.current?.(...seen.current);
    };
    // Told once at the start, and whenever tokens or the width change the lines.
    const resized = new ResizeObserver(look);
    for (const element of [box, chips]) resized.observe(element);
    box.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      box.removeEventListener('scroll', look);
    };
  }, [view, list]);
}

/**
 * Paints the text itself with what one position reads: the row under the pointer in a map, else the locked one, else
 * the read-out. The words turn light or dark to stay legible.
 */
export function usePaintedText(list: List, map: DrawnMap | undefined, palette: Palette, position: number): void {
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
}
