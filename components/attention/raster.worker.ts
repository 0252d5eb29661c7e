import { halfToFloat } from '@/lib/safetensors/dtype';
import { MAGNITUDE, NOT_FINITE } from '../charts/half';
import { marginals } from '../charts/marginals';
import { drawMovingMap, type MovingFigure, type MovingView, type Pen } from '../charts/movingMaps';
import { Pyramid, type Region } from '../charts/pyramid';
import { type LookUp, Memory, rasterise } from '../charts/raster';
import type { Job, Picture } from './rasterService';
import type { WorkerFont } from './workerFonts';

/** Fonts of a worker; the types are those of a page, which has them elsewhere. */
const workerFonts = (self as unknown as { readonly fonts: FontFaceSet }).fonts;

/** Draws large maps, and moving figures, away from the page's thread. Maps and look-ups are sent once and kept until forgotten. */
const maps = new Map<number, Pyramid>();
const lookUps = new Map<number, LookUp>();

/** The sheet that is on the page while maps move, and what it shows. */
let pen: Pen | null = null;
let figure: MovingFigure | undefined;
let pictures: readonly Picture[] = [];
let fonts: Promise<unknown> = Promise.resolve();

const memory = new Memory();
let scratch: OffscreenCanvas | undefined;

const MAGNITUDES = Float32Array.from({ length: MAGNITUDE + 1 }, (_, bits) =>
  bits < NOT_FINITE ? halfToFloat(bits) : 0,
);

const loadFonts = (faces: readonly WorkerFont[]) =>
  Promise.allSettled(
    faces.map(({ family, file, weight, range }) => {
      const face = new FontFace(family, `url(${file})`, { weight, ...(range && { unicodeRange: range }) });
      workerFonts.add(face);
      return face.load();
    }),
  );

/** The cells of a region at the pen's origin, coarse where they are small: the next picture follows at once. */
function drawCells(to: Pen, pyramid: Pyramid, colours: LookUp, region: Region, size: number): void {
  const { a: ratio, e, f } = to.getTransform();
  const side = Math.round(size * ratio);
  const { width, height, pixels } = rasterise(
    pyramid,
    colours,
    region,
    { width: side, height: side },
    { memory, coarse: true },
  );
  const image = new ImageData(pixels, width, height);
  const [left, top] = [Math.round(e), Math.round(f)];
  if (width === side && height === side) {
    to.putImageData(image, left, top);
    return;
  }
  scratch ??= new OffscreenCanvas(width, height);
  scratch.width = width;
  scratch.height = height;
  scratch.getContext('2d', { willReadFrequently: true })?.putImageData(image, 0, 0);
  to.save();
  to.resetTransform();
  to.imageSmoothingEnabled = false;
  to.drawImage(scratch, left, top, side, side);
  to.restore();
}

function drawFigure(to: Pen, shown: MovingFigure, views: readonly MovingView[]): void {
  const { pixelRatio } = shown;
  const [width, height] = [shown.width, shown.height].map((length) => Math.ceil(length * pixelRatio));
  if (to.canvas.width !== width) to.canvas.width = width;
  if (to.canvas.height !== height) to.canvas.height = height;
  to.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  shown.maps.forEach((map, k) => {
    const pyramid = maps.get(pictures[k].map);
    const colours = lookUps.get(pictures[k].colours);
    if (!pyramid || !colours) return;
    const { region } = views[k];
    const { L, bits } = pyramid.map;
    drawMovingMap(
      to,
      shown,
      map,
      views[k],
      () => drawCells(to, pyramid, colours, region, map.size),
      () => marginals(bits, L, region, (cell) => MAGNITUDES[cell & MAGNITUDE]),
    );
  });
}

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
    case 'sheet':
      pen = job.canvas.getContext('2d');
      fonts = loadFonts(job.fonts);
      return;
    case 'figure':
      ({ figure, pictures } = job);
      return;
    case 'view':
      void fonts.then(() => {
        if (pen && figure) drawFigure(pen, figure, job.views);
        // The frame after this one shows what was drawn.
        self.requestAnimationFrame(() => self.postMessage({ id: job.id }));
      });
      return;
    case 'draw': {
      const pyramid = maps.get(job.map);
      const colours = lookUps.get(job.colours);
      if (!pyramid || !colours) return;
      const raster = rasterise(pyramid, colours, job.region, job.pixels);
      self.postMessage({ id: job.id, answer: raster }, { transfer: [raster.pixels.buffer] });
    }
  }
};
