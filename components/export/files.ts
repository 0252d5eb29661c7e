/** Pixels of a PNG for each pixel of the page: 288 dots an inch. */
const PNG_SCALE = 3;
/** Time for embedded fonts to be read. */
const FONTS_MS = 400;

/** Hands a file to the browser's downloads. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  const url = URL.createObjectURL(blob);
  link.href = url;
  link.download = name;
  link.click();
  // The download reads the address after the click returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @param scale pixels of the picture for each of the drawing's. @throws Error when the browser cannot draw it. */
export async function pngOf(svg: string, scale = PNG_SCALE): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(scale * image.naturalWidth);
    canvas.height = Math.round(scale * image.naturalHeight);
    const draw = () => canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    // An image is ready before the fonts inside it are: drawing it once makes the browser load them.
    draw();
    await new Promise((resolve) => setTimeout(resolve, FONTS_MS));
    draw();
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (!blob) throw new Error('The browser could not draw this figure as PNG; choose SVG.');
    return blob;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Check sum of a part of a PNG. */
function checkSum(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum >>> 0;
}

/** Where the parts of a PNG after its head begin. */
const AFTER_HEAD = 33;

/** A PNG that says how many of its dots are an inch, so that a program places it in its final size. */
export function withDots(png: Uint8Array, dots: number): Uint8Array<ArrayBuffer> {
  const part = new Uint8Array(21);
  const view = new DataView(part.buffer);
  const aMetre = Math.round(dots / 0.0254);
  view.setUint32(0, 9);
  part.set(new TextEncoder().encode('pHYs'), 4);
  view.setUint32(8, aMetre);
  view.setUint32(12, aMetre);
  part[16] = 1;
  view.setUint32(17, checkSum(part.subarray(4, 17)));
  const out = new Uint8Array(png.length + part.length);
  out.set(png.subarray(0, AFTER_HEAD));
  out.set(part, AFTER_HEAD);
  out.set(png.subarray(AFTER_HEAD), AFTER_HEAD + part.length);
  return out;
}
