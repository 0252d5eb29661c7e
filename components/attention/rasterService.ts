import type { HalfMap } from '../charts/half';
import type { LookUp, Raster, Region } from '../charts/raster';

interface Size {
  readonly width: number;
  readonly height: number;
}

export type Job =
  | { readonly kind: 'keep'; readonly map: number; readonly L: number; readonly bits: Uint16Array<ArrayBuffer> }
  | { readonly kind: 'forget'; readonly map: number }
  | {
      readonly kind: 'draw';
      readonly job: number;
      readonly map: number;
      readonly region: Region;
      readonly pixels: Size;
      readonly colours: LookUp;
    };

/** Maps that the worker keeps: two models' three branches, and the layer before. */
const KEPT = 12;

let worker: Worker | undefined;
let jobs = 0;
const waiting = new Map<number, (raster: Raster) => void>();
const numbers = new WeakMap<HalfMap, number>();
let kept: number[] = [];

const send = (job: Job) => worker?.postMessage(job);

function start(): void {
  worker = new Worker(new URL('./raster.worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<{ job: number; raster: Raster }>) => {
    waiting.get(data.job)?.(data.raster);
    waiting.delete(data.job);
  };
}

function numberOf(map: HalfMap): number {
  const known = numbers.get(map);
  if (known !== undefined && kept.includes(known)) return known;
  const number = ++jobs;
  numbers.set(map, number);
  send({ kind: 'keep', map: number, L: map.L, bits: map.bits });
  kept.push(number);
  for (const old of kept.slice(0, -KEPT)) send({ kind: 'forget', map: old });
  kept = kept.slice(-KEPT);
  return number;
}

/** The pixels of a region, drawn in the browser worker. */
export function drawInWorker(map: HalfMap, colours: LookUp, region: Region, pixels: Size): Promise<Raster> {
  if (!worker) start();
  const number = numberOf(map);
  const job = ++jobs;
  return new Promise((resolve) => {
    waiting.set(job, resolve);
    send({ kind: 'draw', job, map: number, region, pixels, colours });
  });
}
