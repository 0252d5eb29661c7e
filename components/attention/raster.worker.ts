import { type LookUp, Pyramid, rasterise } from '../charts/raster';
import type { Job } from './rasterService';

/** Draws regions of large maps away from the page's thread. Maps and look-ups are sent once and kept until forgotten. */
const maps = new Map<number, Pyramid>();
const lookUps = new Map<number, LookUp>();

self.onmessage = ({ data: job }: MessageEvent<Job>) => {
  switch (job.kind) {
    case 'map':
      maps.set(job.id, new Pyramid({ L: job.L, bits: job.bits }));
      return;
    case 'colours':
      lookUps.set(job.id, job.colours);
      return;
    case 'forget':
      maps.delete(job.id);
      lookUps.delete(job.id);
      return;
    case 'draw': {
      const pyramid = maps.get(job.map);
      const colours = lookUps.get(job.colours);
      if (!pyramid || !colours) return;
      const raster = rasterise(pyramid, colours, job.region, job.pixels);
      self.postMessage({ id: job.id, raster }, { transfer: [raster.pixels.buffer] });
    }
  }
};
