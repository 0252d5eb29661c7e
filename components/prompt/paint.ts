'use client';
import { type RefObject, useEffect, useLayoutEffect } from 'react';
import type { DrawnMap } from '../attention/drawnMaps';
import { cssColour } from '../charts/palette';
import { ownToken } from '../data/view';
import { useHover } from '../state/hover';
import type { ModelSlot } from '../state/selection';

type Maps = readonly (DrawnMap | undefined)[];

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

/** Marks the tokens under the pointer, anywhere on the page, without a render. */
export function useHoverMarks(list: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    let marked: (HTMLElement | undefined)[] = [];
    return useHover.subscribe(({ destination, source }) => {
      const box = list.current;
      if (!box) return;
      marked[0]?.removeAttribute('data-destination');
      marked[1]?.removeAttribute('data-source');
      marked = [chipAt(box, destination), chipAt(box, source)];
      marked[0]?.setAttribute('data-destination', '');
      marked[1]?.setAttribute('data-source', '');
    });
  }, [list]);
}

/** The colour that a lane carries now, so that it is not set again. */
const painted = new WeakMap<Element, string>();

/** Two lanes under each token: what the read-out position reads from it, A above B. `row` is a token of A. */
export function useLanes(
  list: RefObject<HTMLElement | null>,
  maps: Maps,
  lanes: readonly ModelSlot[],
  row: number,
  count: number,
): void {
  useLayoutEffect(() => {
    const box = list.current;
    if (!box) return;
    lanes.forEach((slot, lane) => {
      const map = maps.find((drawn) => drawn?.source.model.slot === slot);
      for (let k = 0; k < Math.min(count, box.children.length); k++) {
        // After the token's text stands one element a lane.
        const strip = box.children[k].children[1 + lane] as HTMLElement | undefined;
        const amount = map && readAmount(map, row, k);
        const colour = map && amount !== undefined ? cssColour(map.table, amount) : '';
        if (!strip || painted.get(strip) === colour) continue;
        painted.set(strip, colour);
        strip.style.background = colour;
      }
    });
  }, [list, maps, lanes, row, count]);
}
