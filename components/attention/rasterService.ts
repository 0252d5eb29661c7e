import type { HalfMap } from '../charts/half';
import type { LookUp, Raster, Region } from '../charts/raster';

interface Size {
  readonly width: number;
  readonly height: number;
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
    };

/** Maps that the worker keeps: two models' three branches, and the layer before. */
const MAPS = 12;
/** Look-ups that it keeps: scales and themes between which a researcher goes back and forth. */
const LOOK_UPS = 12;

let worker: Worker | undefined;
let ids = 0;
const waiting = new Map<number, (raster: Raster) => void>();

const send = (job: Job) => worker?.postMessage(job);

function start(): void {
  worker = new Worker(new URL('./raster.worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<{ id: number; raster: Raster }>) => {
    waiting.get(data.id)?.(data.raster);
    waiting.delete(data.id);
  };
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

/** The pixels of a region, drawn in the browser worker. */
export function drawInWorker(map: HalfMap, colours: LookUp, region: Region, pixels: Size): Promise<Raster> {
  if (!worker) start();
  const job = { kind: 'draw', map: maps.idOf(map), colours: lookUps.idOf(colours), region, pixels } as const;
  const id = ++ids;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    send({ ...job, id });
  });
}
