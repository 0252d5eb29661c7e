'use client';
import { type RefObject, useEffect, useLayoutEffect } from 'react';
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
  k === undefined ? undefined : (list.querySelector<HTMLElement>(`[data-token="${k}"]`) ?? undefined);

/** Puts a mark of its own layer on a token, so that no token is drawn again. */
function place(mark: HTMLElement | null, chip: HTMLElement | undefined): void {
  if (!mark) return;
  mark.style.visibility = chip ? 'visible' : 'hidden';
  if (!chip) return;
  mark.style.width = `${chip.offsetWidth}px`;
  mark.style.transform = `translate(${chip.offsetLeft}px, ${chip.offsetTop}px)`;
}

/** Marks the tokens under the pointer, anywhere on the page, without a render. */
export function useHoverMarks(list: List, destinationMark: List, sourceMark: List): void {
  useEffect(
    () =>
      useHover.subscribe(({ destination, source }) => {
        const box = list.current;
        if (!box) return;
        place(destinationMark.current, chipAt(box, destination));
        place(sourceMark.current, destination === source ? undefined : chipAt(box, source));
      }),
    [list, destinationMark, sourceMark],
  );
}

/** Index in the colour table that an element carries now, so that it is not set again. */
const painted = new WeakMap<Element, number>();
const NOTHING = -1;

const entryOf = (amount: number | undefined) =>
  amount === undefined ? NOTHING : Math.round(amount * (TABLE_SIZE - 1));
const colourOf = (table: ColourTable, entry: number) =>
  entry === NOTHING ? '' : cssColour(table, entry / (TABLE_SIZE - 1));

/** Two lanes under each token: what the read-out position reads from it, A above B. `row` is a token of A. */
export function useLanes(list: List, maps: Maps, lanes: readonly ModelSlot[], row: number, count: number): void {
  useLayoutEffect(() => {
    const box = list.current;
    if (!box) return;
    for (const slot of lanes) {
      const map = maps.find((drawn) => drawn?.source.model.slot === slot);
      const strips = box.getElementsByClassName(`lane ${slot}`);
      for (let k = 0; k < Math.min(count, strips.length); k++) {
        const strip = strips[k] as HTMLElement;
        const entry = entryOf(map && readAmount(map, row, k));
        // Themes and ramps have tables of their own; an index alone does not say the colour.
        const key = entry === NOTHING ? NOTHING : entry + 1000 * (map?.table[0] ?? 0);
        if (painted.get(strip) === key) continue;
        painted.set(strip, key);
        strip.style.background = map ? colourOf(map.table, entry) : '';
      }
    }
  }, [list, maps, lanes, row, count]);
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
