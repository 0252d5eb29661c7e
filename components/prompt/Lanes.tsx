'use client';
import { memo, type RefObject, useEffect, useLayoutEffect, useMemo, useState } from 'react';
import type { Token } from '@/lib/api/schemas';
import { cssColour } from '@/lib/figures/palette';
import type { DrawnMap } from '../data/drawnMaps';
import { useShownMaps } from '../data/shownMaps';
import type { ModelSlot } from '../state/selection';
import { DrawnCanvas } from '../ui/canvas';
import type { Pen } from '../ui/drawings';
import { useFontsReady, usePixelRatio } from '../ui/measure';
import { Recent } from '../ui/recent';
import { type LanePlaces, laneBlock } from './laneBlock';
import { readAmount } from './paint';

/** Below the top of its token, in the room that the style sheet leaves there. */
const FIRST_LANE = 25;
const LANE_PITCH = 4;
const LANE_HEIGHT = 3;

type Box = RefObject<HTMLElement | null>;

function placesOf(view: HTMLElement, list: HTMLElement): LanePlaces {
  const chips = Array.from(list.children as HTMLCollectionOf<HTMLElement>);
  return {
    left: chips.map((chip) => chip.offsetLeft),
    top: chips.map((chip) => chip.offsetTop),
    width: chips.map((chip) => chip.offsetWidth),
    scrollTop: view.scrollTop,
    viewHeight: view.clientHeight,
    listWidth: view.clientWidth,
    listHeight: list.offsetTop + list.offsetHeight,
  };
}

interface LanesOf {
  readonly places: LanePlaces;
  readonly maps: readonly (DrawnMap | undefined)[];
  readonly lanes: readonly ModelSlot[];
  readonly row: number;
  readonly pixelRatio: number;
}

function drawLanes(context: Pen, { places, maps, lanes, row, pixelRatio }: LanesOf): void {
  const { top, height } = laneBlock(places);
  const onPixel = (at: number) => Math.round(at * pixelRatio) / pixelRatio;
  for (const [lane, slot] of lanes.entries()) {
    const map = maps.find((one) => one?.source.model.slot === slot);
    for (let k = 0; map && k < places.top.length; k++) {
      const y = places.top[k] - top + FIRST_LANE + lane * LANE_PITCH;
      if (y < -LANE_HEIGHT || y > height) continue;
      const amount = readAmount(map, row, k);
      if (amount === undefined) continue;
      const [left, right] = [onPixel(places.left[k]), onPixel(places.left[k] + places.width[k] - 1)];
      context.fillStyle = cssColour(map.table, amount);
      context.fillRect(left, onPixel(y), right - left, onPixel(y + LANE_HEIGHT) - onPixel(y));
    }
  }
}

/** The branches between which one goes to and fro. */
const drawn = new Recent<(context: Pen) => void>(4);

/**
 * Two lanes under each token: what the read-out position reads from it, A above B. `row` is a token of A. One picture
 * that scrolls with the tokens in view: as elements, the lanes would have every token painted with each change of theirs.
 */
export const Lanes = memo(function Lanes(props: {
  /** Scrolls; the list is inside it. */
  view: Box;
  list: Box;
  tokens: readonly Token[];
  lanes: readonly ModelSlot[];
  row: number;
}) {
  const { view, list, tokens, lanes, row } = props;
  const { maps } = useShownMaps();
  const pixelRatio = usePixelRatio();
  const fonts = useFontsReady();
  const [places, setPlaces] = useState<LanePlaces>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: other tokens, or letters, stand elsewhere.
  useLayoutEffect(() => {
    if (view.current && list.current) setPlaces(placesOf(view.current, list.current));
  }, [view, list, tokens, fonts]);
  useEffect(() => {
    const [box, chips] = [view.current, list.current];
    if (!box || !chips) return;
    const resized = new ResizeObserver(() => setPlaces(placesOf(box, chips)));
    for (const element of [box, chips]) resized.observe(element);
    const scrolled = () =>
      setPlaces((last) => {
        const next = last && { ...last, scrollTop: box.scrollTop };
        return next && laneBlock(next).top !== laneBlock(last).top ? next : last;
      });
    box.addEventListener('scroll', scrolled, { passive: true });
    return () => {
      resized.disconnect();
      box.removeEventListener('scroll', scrolled);
    };
  }, [view, list]);
  const draw = useMemo(
    () =>
      drawn.recall([places, ...maps, lanes, row, pixelRatio], () => (context: Pen) => {
        if (places) drawLanes(context, { places, maps, lanes, row, pixelRatio });
      }),
    [places, maps, lanes, row, pixelRatio],
  );
  if (!places || lanes.length === 0) return null;
  const { top, height } = laneBlock(places);
  return (
    <DrawnCanvas
      width={places.listWidth}
      height={height}
      pixelRatio={pixelRatio}
      draw={draw}
      keep
      testId="lanes"
      style={{ top }}
    />
  );
});
