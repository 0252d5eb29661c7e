import { cellsTop, type MapLayout } from '../charts/mapLayout';
import { INKS, type Inks, type MovingFigure, type MovingMap, type MovingView } from '../charts/movingMaps';
import { type Region, sameRegion } from '../charts/pyramid';
import { lookUp } from '../charts/raster';
import { displayToken, sameWord } from '../charts/tokens';
import { fitWindow, type MapWindow } from '../charts/window';
import { type DrawnMap, errorTooLarge } from '../data/drawnMaps';
import type { MapPanel } from '../data/panels';
import { ownRegion } from '../data/view';
import { useHover } from '../state/hover';
import type { Stage } from '../state/motion';
import { type Cell, useSelection } from '../state/selection';
import { marksOf, profilePeak } from './marks';
import { drawViews, openSheet, setFigure } from './rasterService';
import { prioritiesOf } from './tokenAxes';

/** The maps as the page shows them at rest. */
export interface Maps {
  readonly panels: readonly MapPanel[];
  readonly layout: MapLayout;
  readonly width: number;
  /** Tokens of model A, which windows count in. */
  readonly L: number;
  readonly target: string;
  readonly lock: Cell | null;
  readonly mask: string;
  readonly pixelRatio: number;
  readonly labelled: (panel: number) => boolean;
}

const isDrawn = (panel: MapPanel): panel is MapPanel & { readonly drawn: DrawnMap } => panel.drawn !== undefined;

function movingMap(panel: MapPanel & { readonly drawn: DrawnMap }, k: number, maps: Maps): MovingMap {
  const { layout, target, lock } = maps;
  const { name, drawn, entry } = panel;
  const { model } = entry;
  const { tokens, position, needle } = model;
  const { left, top, size } = layout.maps[k];
  return {
    left,
    top: top + cellsTop(layout),
    size,
    position,
    needle,
    labelled: maps.labelled(k),
    words: tokens.map(({ text }) => displayToken(text)),
    priorities: prioritiesOf(model, target, lock),
    strong: tokens.flatMap(({ text }, token) => (token === position || sameWord(text, target) ? [token] : [])),
    colour: name === 'A' ? 'a' : name === 'B' ? 'b' : 'ink-2',
    signed: drawn.scale.signed,
    doubtful: errorTooLarge(entry.map?.metadata.reconstruction_error),
  };
}

/**
 * A sheet over the maps on which the browser worker draws them while they are zoomed or moved: a step costs the page's
 * thread one message, no render, layout or painting. When the view rests, the maps below are drawn by the page, and
 * the sheet leaves as soon as they stand there.
 */
export class MovingSheet implements Stage {
  #maps: Maps | undefined;
  #holder: HTMLElement | null = null;
  #canvas: HTMLCanvasElement | undefined;
  readonly #below = new Map<string, Region | undefined>();
  /** Counts the times that the sheet was laid over the maps; even: it is not. */
  #turn = 0;
  #drawing = false;
  #wanted: { readonly window: MapWindow | null } | undefined;
  #last: MapWindow | null = null;
  #resting = false;
  #stopFollowing: (() => void) | undefined;

  /** What to show; kept up to date by the component that holds the sheet. */
  update(maps: Maps, holder: HTMLElement | null): void {
    this.#maps = maps;
    this.#holder = holder;
    this.#leaveWhenReady();
  }

  /** Says which region of a map stands on the page. */
  readonly pictureShown = (key: string, region: Region | undefined): void => {
    this.#below.set(key, region);
    this.#leaveWhenReady();
  };

  /** The sheet, made when a gesture is near: a worker and its fonts take a moment to start. */
  prepare(): HTMLCanvasElement {
    if (this.#canvas) return this.#canvas;
    this.#canvas = document.createElement('canvas');
    this.#canvas.dataset.testid = 'moving-maps';
    openSheet(this.#canvas);
    return this.#canvas;
  }

  show(window: MapWindow | null): boolean {
    const maps = this.#maps;
    if (!maps || !this.#holder || !maps.panels.every(isDrawn)) return false;
    if (this.#turn % 2 === 0) this.#enter(maps, this.#holder);
    this.#resting = false;
    this.#want(window);
    return true;
  }

  rest(): void {
    this.#resting = true;
    this.#leaveWhenReady();
  }

  #enter(maps: Maps, holder: HTMLElement): void {
    const { layout, width, mask, pixelRatio } = maps;
    const drawn = maps.panels.filter(isDrawn);
    const canvas = this.prepare();
    const style = getComputedStyle(holder);
    const inks = Object.fromEntries(INKS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Inks;
    const { maps: _, ...room } = layout;
    const figure: MovingFigure = {
      width,
      height: layout.height,
      pixelRatio,
      layout: room,
      inks,
      maps: drawn.map((panel, k) => movingMap(panel, k, maps)),
    };
    setFigure(
      figure,
      drawn.map(({ drawn: { half, scale, table } }) => ({ half, colours: lookUp(scale, table, mask, half.unit) })),
    );
    const [across, down] = [width, layout.height].map((length) => Math.ceil(length * pixelRatio) / pixelRatio);
    Object.assign(canvas.style, { width: `${across}px`, height: `${down}px`, visibility: 'hidden' });
    holder.append(canvas);
    this.#turn++;
    this.#stopFollowing = useHover.subscribe(() => this.#want(this.#last));
  }

  #want(window: MapWindow | null): void {
    this.#last = window;
    this.#wanted = { window };
    this.#draw();
  }

  /** Asks for the latest view, one at a time. */
  #draw(): void {
    const { panels = [], L = 0 } = this.#maps ?? {};
    if (this.#drawing || !this.#wanted || !panels.every(isDrawn)) return;
    const { window } = this.#wanted;
    const turn = this.#turn;
    this.#wanted = undefined;
    this.#drawing = true;
    void drawViews(this.#views(panels, window && fitWindow(window, L))).then(() => {
      this.#drawing = false;
      if (turn === this.#turn && this.#canvas) this.#canvas.style.visibility = 'visible';
      this.#draw();
    });
  }

  #views(panels: readonly (MapPanel & { readonly drawn: DrawnMap })[], window: MapWindow | null): MovingView[] {
    const lock = useSelection.getState().lock;
    const hovered = useHover.getState();
    const peak = profilePeak(panels, hovered.destination, lock);
    return panels.map(({ drawn, entry: { model } }): MovingView => {
      const marks = marksOf(model, hovered, lock);
      const row = Math.min(drawn.L - 1, marks.row);
      const { lockRow, lockColumn } = marks;
      return {
        region: ownRegion(model, window),
        profile: { row, values: drawn.values.slice(row * drawn.L, (row + 1) * drawn.L), peak },
        cross: { row: marks.crossRow, column: marks.crossColumn },
        flags: { row: marks.hoverRow, column: marks.hoverColumn },
        lock: lockRow !== undefined && lockColumn !== undefined ? { row: lockRow, column: lockColumn } : undefined,
      };
    });
  }

  #leaveWhenReady(): void {
    const maps = this.#maps;
    if (!this.#resting || !maps) return;
    const { window } = useSelection.getState();
    const shown = window && fitWindow(window, maps.L);
    const ready = maps.panels.every(({ key, drawn, entry: { model } }) => {
      const below = this.#below.get(key);
      return !drawn || (below && sameRegion(below, ownRegion(model, shown)));
    });
    if (ready) this.leave();
  }

  /** Takes the sheet off the page. */
  leave(): void {
    this.#resting = false;
    this.#wanted = undefined;
    this.#stopFollowing?.();
    this.#canvas?.remove();
    if (this.#turn % 2 === 1) this.#turn++;
  }
}
