import { Pyramid, rasterise } from '../charts/raster';
import type { Job } from './rasterService';

/** Draws regions of large maps away from the page's thread. A map is sent once and kept until it is forgotten. */
const maps = new Map<number, Pyramid>();

self.onmessage = ({ data: job }: MessageEvent<Job>) => {
  if (job.kind === 'keep') maps.set(job.map, new Pyramid({ L: job.L, bits: job.bits }));
  else if (job.kind === 'forget') maps.delete(job.map);
  else {
    const pyramid = maps.get(job.map);
    if (!pyramid) return;
    const raster = rasterise(pyramid, job.colours, job.region, job.pixels);
    self.postMessage({ job: job.job, raster }, { transfer: [raster.pixels.buffer] });
  }
};
