'use client';
import { type PointerEvent, useEffect, useRef } from 'react';
import {
  type CellPoint,
  fitWindow,
  type MapFrame,
  mapFrame,
  panned,
  sameWindow,
  spanned,
  wholeWindow,
  zoomedAt,
} from '../charts/window';
import { type MapPanel, surfaceId } from '../data/panels';
import { nearestOfA, ownRegion, ownToken, tokenOfA } from '../data/view';
import { setBrush } from '../state/brush';
import { clearHover, hover, useHover } from '../state/hover';
import { moveTo, shownWindow, showWindow } from '../state/motion';
import { toggleLock } from '../state/selection';

/** Pixels that a pointer moves before a press becomes a drag. */
const DRAG_FROM = 5;
/** Wheel travel that doubles the zoom. */
const WHEEL_OCTAVE = 240;

interface Press {
  readonly x: number;
  readonly y: number;
  readonly cell: CellPoint;
  readonly panning: boolean;
  readonly window: ReturnType<typeof wholeWindow>;
  readonly frame: MapFrame;
  dragged: boolean;
}

/**
 * The pointer surface of one map: hover links, a click locks, a drag brushes a range of tokens into view, Shift and a
 * drag (or the middle button) moves the view, a double click resets it, the wheel with ⌘ or Ctrl zooms.
 */
export function MapSurface(props: { panel: MapPanel; frame: MapFrame; left: number; top: number; L: number }) {
  const { panel, frame, left, top, L } = props;
  const { model } = panel.entry;
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const surface = useRef<HTMLDivElement>(null);
  const press = useRef<Press | null>(null);

  /** Where the cells stand now: also while the page has not drawn them there yet. */
  const shownFrame = (): MapFrame => {
    const window = shownWindow();
    return mapFrame(ownRegion(model, window && fitWindow(window, L)), frame.size);
  };
  const linked = (x: number, y: number): CellPoint | undefined => {
    const own = shownFrame().at(x, y);
    const [i, j] = own ? [tokenOfA(model, own.destination), tokenOfA(model, own.source)] : [];
    return i !== undefined && j !== undefined ? { destination: i, source: j } : undefined;
  };
  const nearest = (x: number, y: number): CellPoint => {
    const own = shownFrame().nearest(x, y);
    return { destination: nearestOfA(model, own.destination), source: nearestOfA(model, own.source) };
  };
  const point = (event: { clientX: number; clientY: number }): [number, number] => {
    const box = surface.current?.getBoundingClientRect();
    return [event.clientX - (box?.left ?? 0), event.clientY - (box?.top ?? 0)];
  };
  const finish = () => {
    press.current = null;
    setBrush(null);
  };

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    const middle = event.button === 1;
    if (event.pointerType === 'touch' || (event.button !== 0 && !middle)) return;
    if (middle) event.preventDefault();
    const [x, y] = point(event);
    press.current = {
      x,
      y,
      cell: nearest(x, y),
      panning: middle || event.shiftKey,
      dragged: false,
      window: shownWindow() ?? wholeWindow(L),
      frame: shownFrame(),
    };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const [x, y] = point(event);
    const held = press.current;
    if (held && (held.dragged || Math.hypot(x - held.x, y - held.y) > DRAG_FROM)) {
      held.dragged = true;
      if (held.panning) {
        const [rows, columns] = [(held.y - y) / held.frame.cellHeight, (held.x - x) / held.frame.cellWidth];
        moveTo(panned(held.window, Math.round(rows), Math.round(columns), L));
      } else setBrush(spanned(held.cell, nearest(x, y), L));
      clearHover();
      return;
    }
    const at = linked(x, y);
    if (at) hover({ origin: 'map', model: model.slot, ...at });
    else clearHover();
  };
  const onPointerUp = (event: PointerEvent<HTMLElement>) => {
    const [x, y] = point(event);
    const held = press.current;
    finish();
    if (held?.dragged) {
      if (!held.panning) showWindow(spanned(held.cell, nearest(x, y), L));
      return;
    }
    const at = linked(x, y);
    if (at && event.button === 0) toggleLock(at);
  };

  const latest = useRef({ nearest, point });
  latest.current = { nearest, point };
  useEffect(() => {
    const element = surface.current;
    if (!element) return;
    let travel = 0;
    let frameId = 0;
    // A listener of our own: React's are passive, and the page itself must not zoom.
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      travel += event.deltaMode === event.DOM_DELTA_LINE ? event.deltaY * 24 : event.deltaY;
      const at = latest.current.nearest(...latest.current.point(event));
      if (frameId) return;
      frameId = requestAnimationFrame(() => {
        frameId = 0;
        const window = shownWindow() ?? wholeWindow(L);
        const next = zoomedAt(window, 2 ** (-travel / WHEEL_OCTAVE), at, L);
        // Travel too short for a whole token is kept for the next step.
        const moved = !sameWindow(next ?? wholeWindow(L), window);
        if (!moved && Math.abs(travel) < WHEEL_OCTAVE) return;
        travel = 0;
        moveTo(next);
      });
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      element.removeEventListener('wheel', onWheel);
      cancelAnimationFrame(frameId);
    };
  }, [L]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the figure around it has the role and the keys.
    <div
      ref={surface}
      className="hit cells"
      data-export="surface"
      style={{ left, top, width: frame.size, height: frame.size }}
      data-testid={surfaceId(panel)}
      data-hover-row={ownToken(model, destination) ?? ''}
      data-hover-col={ownToken(model, source) ?? ''}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={finish}
      onPointerLeave={() => {
        if (!press.current) clearHover();
      }}
      onDoubleClick={() => showWindow(null)}
    />
  );
}
