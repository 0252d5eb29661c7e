import type { HalfMap } from '../charts/half';
import type { MovingFigure, MovingView } from '../charts/movingMaps';
import type { Region } from '../charts/pyramid';
import type { LookUp, Raster } from '../charts/raster';
import { loadedFonts, type WorkerFont } from './workerFonts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A map and its colours, by what the worker knows them. */
export interface Picture {
  readonly map: number;
  readonly colours: number;
}

export type Job =
  | { readonly kind: 'map'; readonly id: number; readonly L: number; readonly bits: Uint16Array<ArrayBuffer> }
  | { readonly kind: 'colours'; readonly id: number; readonly colours: LookUp }
  | { readonly kind: 'forget'; readonly id: number }
  | {
      readonly kind: 'draw';
      readonly id: number;
      readonly map: number;
      readonly colours: number;
      readonly region: Region;
      readonly pixels: Size;
    }
  | { readonly kind: 'sheet'; readonly canvas: OffscreenCanvas; readonly fonts: readonly WorkerFont[] }
  | { readonly kind: 'figure'; readonly figure: MovingFigure; readonly pictures: readonly Picture[] }
  | { readonly kind: 'view'; readonly id: number; readonly views: readonly MovingView[] };

/** Maps that the worker keeps: two models' three branches, and the layer before. */
const MAPS = 12;
/** Look-ups that it keeps: scales and themes between which a researcher goes back and forth. */
const LOOK_UPS = 12;

let worker: Worker | undefined;
let ids = 0;
const waiting = new Map<number, (answer?: Raster) => void>();

function started(): Worker {
  const fresh = new Worker(new URL('./raster.worker.ts', import.meta.url), { type: 'module' });
  fresh.onmessage = ({ data }: MessageEvent<{ id: number; answer?: Raster }>) => {
    waiting.get(data.id)?.(data.answer);
    waiting.delete(data.id);
  };
  return fresh;
}

function send(job: Job, transfer: Transferable[] = []): void {
  worker ??= started();
  worker.postMessage(job, transfer);
}

/** Copies of large things in the worker: each is sent once, the oldest is forgotten when there are too many. */
class Copies<T extends object> {
  readonly #ids = new WeakMap<T, number>();
  #kept: number[] = [];

  constructor(
    private readonly most: number,
    private readonly job: (id: number, thing: T) => Job,
  ) {}

  idOf(thing: T): number {
    const known = this.#ids.get(thing);
    if (known !== undefined && this.#kept.includes(known)) return known;
    const id = ++ids;
    this.#ids.set(thing, id);
    send(this.job(id, thing));
    this.#kept.push(id);
    for (const old of this.#kept.slice(0, -this.most)) send({ kind: 'forget', id: old });
    this.#kept = this.#kept.slice(-this.most);
    return id;
  }
}

const maps = new Copies<HalfMap>(MAPS, (id, { L, bits }) => ({ kind: 'map', id, L, bits }));
const lookUps = new Copies<LookUp>(LOOK_UPS, (id, colours) => ({ kind: 'colours', id, colours }));

const known = (map: HalfMap, colours: LookUp): Picture => ({ map: maps.idOf(map), colours: lookUps.idOf(colours) });

/** The pixels of a region, drawn in the browser worker. */
export function drawInWorker(map: HalfMap, colours: LookUp, region: Region, pixels: Size): Promise<Raster> {
  const picture = known(map, colours);
  const id = ++ids;
  return new Promise((resolve) => {
    waiting.set(id, (raster) => raster && resolve(raster));
    send({ kind: 'draw', id, ...picture, region, pixels });
  });
}

/** Gives the worker the canvas that moving maps are drawn on, in place of the one before. */
export function openSheet(canvas: HTMLCanvasElement): void {
  const sheet = canvas.transferControlToOffscreen();
  send({ kind: 'sheet', canvas: sheet, fonts: loadedFonts() }, [sheet]);
}

/** What the next views show; `pictures` are those of the figure's maps. */
export function setFigure(figure: MovingFigure, pictures: readonly { half: HalfMap; colours: LookUp }[]): void {
  send({ kind: 'figure', figure, pictures: pictures.map(({ half, colours }) => known(half, colours)) });
}

/** Draws a view of every map on the sheet; resolves when it is on the screen. */
export function drawViews(views: readonly MovingView[]): Promise<void> {
  const id = ++ids;
  return new Promise((resolve) => {
    waiting.set(id, () => resolve());
    send({ kind: 'view', id, views });
  });
}
