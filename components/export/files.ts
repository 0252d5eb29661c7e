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

/** @throws Error when the browser cannot draw it. */
export async function pngOf(svg: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = PNG_SCALE * image.naturalWidth;
    canvas.height = PNG_SCALE * image.naturalHeight;
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
