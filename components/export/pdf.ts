import '@fontsource/inter/400.css';
import '@fontsource/inter/600.css';
import { jsPDF } from 'jspdf';
import { svg2pdf } from 'svg2pdf.js';
import { coversAny, faces } from './fonts';
import { trueTypeOf } from './woff';

/** A drawing as PDF. Its text stays text, in the page's fonts; a text that they lack letters of is a picture. */

const POINTS_A_MM = 72 / 25.4;
/** Dots an inch of what a picture inside is enlarged to: readers smooth what has fewer. */
const DOTS = 600;
/** Largest side of an enlarged picture. */
const MOST = 6_000;
/** From here on a weight is drawn by the bold face. */
const BOLD = 550;

/** The variable font of the page has no file that a PDF can hold: the same letters, of one weight a file. */
const FILED: Readonly<Record<string, string>> = { 'Inter Variable': 'Inter' };

interface Face {
  readonly family: string;
  readonly weight: number;
  readonly range: string;
  readonly file: string;
}

/** Faces of the page that have a file of the kind that can be unpacked here. */
function filedFaces(): Face[] {
  return [...faces()].flatMap(({ rule: { style }, base }) => {
    const file = /url\(["']?([^"')]+\.woff)["']?\)/.exec(style.getPropertyValue('src'))?.[1];
    if (!file || style.getPropertyValue('font-style') === 'italic') return [];
    return {
      family: style.getPropertyValue('font-family').replaceAll(/["']/g, '').trim(),
      weight: Number.parseInt(style.getPropertyValue('font-weight'), 10) || 400,
      range: style.getPropertyValue('unicode-range'),
      file: new URL(file, base).href,
    };
  });
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** The fonts of a document: each file is put into it once, under a name of its own. */
class Fonts {
  readonly #faces = filedFaces();
  readonly #names = new Map<Face, string>();

  /** The face that has a letter, of the nearest weight; undefined where none has. */
  faceOf(letter: string, families: readonly string[], weight: number): Face | undefined {
    for (const family of families) {
      const own = this.#faces.filter((face) => face.family === family && coversAny(face.range, letter));
      if (own.length > 0)
        return own.reduce((best, face) =>
          Math.abs(face.weight - weight) < Math.abs(best.weight - weight) ? face : best,
        );
    }
    return undefined;
  }

  nameOf(face: Face): string {
    const name = this.#names.get(face) ?? `page${this.#names.size}`;
    this.#names.set(face, name);
    return name;
  }

  async putInto(pdf: jsPDF): Promise<void> {
    for (const [{ file }, name] of this.#names) {
      const woff = new Uint8Array(await (await fetch(file)).arrayBuffer());
      pdf.addFileToVFS(`${name}.ttf`, base64(await trueTypeOf(woff)));
      pdf.addFont(`${name}.ttf`, name, 'normal');
    }
  }
}

const attributeOf = (node: Element, name: string): string | null =>
  node.closest(`[${name}]`)?.getAttribute(name) ?? null;

/** A text as a picture in the browser's own letters. */
function picture(text: SVGTextElement): SVGElement | undefined {
  const said = (name: string, fallback: string) => attributeOf(text, name) ?? fallback;
  const size = Number.parseFloat(said('font-size', '11'));
  const scale = 8;
  const font = `${said('font-weight', '400')} ${size}px ${said('font-family', 'sans-serif')}`;
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d');
  if (!context) return undefined;
  context.font = font;
  const words = text.textContent ?? '';
  const width = Math.ceil(context.measureText(words).width) + 2;
  const [above, height] = [Math.ceil(size * 1.1), Math.ceil(size * 1.5)];
  [canvas.width, canvas.height] = [width * scale, height * scale];
  context.scale(scale, scale);
  context.font = font;
  context.fillStyle = said('fill', '#000');
  context.fillText(words, 1, above);
  const back = { start: 1, middle: width / 2, end: width - 1 }[said('text-anchor', 'start')] ?? 1;
  const image = document.createElementNS(text.namespaceURI, 'image') as SVGElement;
  const at = (name: 'x' | 'y') => Number.parseFloat(text.getAttribute(name) ?? '0');
  for (const [name, value] of Object.entries({ x: at('x') - back, y: at('y') - above, width, height }))
    image.setAttribute(name, String(value));
  image.setAttribute('href', canvas.toDataURL());
  return image;
}

/** Letters of one face in one ink, and how far they reach. */
interface Piece {
  text: string;
  readonly face: Face;
  readonly of: Element;
  readonly dy: number;
}

/**
 * Writes every text in faces that a PDF can hold, piece by piece where they change, each placed by its own width: what draws the
 * PDF does not know the page's fonts to measure by.
 */
function setText(svg: SVGSVGElement, fonts: Fonts): void {
  const measure = document.createElement('canvas').getContext('2d');
  for (const text of [...svg.querySelectorAll('text')]) {
    const pieces: Piece[] = [];
    let dy = 0;
    let missing = false;
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const of = node.parentElement as Element;
      if (of !== text && of.firstChild === node) dy += Number.parseFloat(of.getAttribute('dy') ?? '0');
      const weight = Number.parseInt(attributeOf(of, 'font-weight') ?? '400', 10) >= BOLD ? 600 : 400;
      const families = (attributeOf(of, 'font-family') ?? '').split(',').map((name) => {
        const bare = name.replaceAll(/["']/g, '').trim();
        return FILED[bare] ?? bare;
      });
      for (const letter of node.textContent ?? '') {
        const face = fonts.faceOf(letter, families, weight);
        const last = pieces[pieces.length - 1];
        if (!face) missing = true;
        else if (last?.face === face && last.of === of) last.text += letter;
        else pieces.push({ text: letter, face, of, dy });
      }
    }
    const instead = missing && picture(text);
    if (instead) {
      text.replaceWith(instead);
      continue;
    }
    const widthOf = (letters: string, of: Element) => {
      if (!measure) return 0;
      const said = ['font-weight', 'font-size', 'font-family'].map((name) => attributeOf(of, name) ?? '');
      measure.font = said.join(' ');
      return measure.measureText(letters).width;
    };
    const widths = pieces.map(({ text: letters, of }) => widthOf(letters, of));
    const total = widths.reduce((sum, width) => sum + width, 0);
    const anchor = attributeOf(text, 'text-anchor');
    let x = Number.parseFloat(text.getAttribute('x') ?? '0');
    x -= anchor === 'end' ? total : anchor === 'middle' ? total / 2 : 0;
    const y = Number.parseFloat(text.getAttribute('y') ?? '0');
    const drawn = pieces.map(({ text: letters, face, of, dy: down }, k) => {
      const piece = text.cloneNode(false) as Element;
      for (const name of ['textLength', 'lengthAdjust', 'style']) piece.removeAttribute(name);
      for (const name of ['fill', 'font-size', 'font-weight']) piece.setAttribute(name, attributeOf(of, name) ?? '');
      // Blanks at the beginning of a text are dropped: what follows them stands where it would with them.
      const bare = letters.trimStart();
      const place = {
        x: x + widths[k] - widthOf(bare, of),
        y: y + down,
        'text-anchor': 'start',
        'font-weight': 'normal',
        'font-family': fonts.nameOf(face),
      };
      for (const [name, value] of Object.entries(place)) piece.setAttribute(name, String(value));
      piece.textContent = bare;
      x += widths[k];
      return piece;
    });
    // A halo lies below its text; here each is drawn in the order of the file.
    const halo = attributeOf(text, 'stroke');
    const below = drawn.flatMap((piece) => {
      if (!halo || halo === 'none') return [];
      const under = piece.cloneNode(true) as Element;
      under.setAttribute('fill', halo);
      piece.setAttribute('stroke', 'none');
      return [under];
    });
    text.replaceWith(...below, ...drawn);
  }
}

/** Cells of pictures as whole squares of many dots, which no reader smooths. */
async function enlarge(svg: SVGSVGElement, pointsAPixel: number): Promise<void> {
  for (const image of svg.querySelectorAll('image')) {
    const source = new Image();
    source.src = image.getAttribute('href') ?? '';
    await source.decode();
    const wanted = (Number.parseFloat(image.getAttribute('width') ?? '1') * pointsAPixel * DOTS) / 72;
    const most = MOST / Math.max(source.naturalWidth, source.naturalHeight);
    const factor = Math.max(1, Math.floor(Math.min(most, Math.ceil(wanted / source.naturalWidth))));
    if (factor === 1) continue;
    const canvas = document.createElement('canvas');
    canvas.width = factor * source.naturalWidth;
    canvas.height = factor * source.naturalHeight;
    const context = canvas.getContext('2d');
    if (!context) continue;
    context.imageSmoothingEnabled = false;
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    image.setAttribute('href', canvas.toDataURL());
  }
}

/** @param size in millimetres. */
export async function pdfOf(svg: SVGSVGElement, size: { width: number; height: number }, title: string): Promise<Blob> {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  // What is measured has to stand in the page; nobody sees it there.
  const place = document.createElement('div');
  place.style.cssText = 'position:absolute;left:-100000px;top:0';
  place.append(copy);
  document.body.append(place);
  try {
    const [width, height] = [size.width * POINTS_A_MM, size.height * POINTS_A_MM];
    const fonts = new Fonts();
    for (const style of copy.querySelectorAll('style')) style.remove();
    setText(copy, fonts);
    await enlarge(copy, width / copy.viewBox.baseVal.width);
    const pdf = new jsPDF({
      unit: 'pt',
      format: [width, height],
      orientation: width > height ? 'landscape' : 'portrait',
      compress: true,
      putOnlyUsedFonts: true,
    });
    pdf.setProperties({ title, creator: 'Statescope' });
    await fonts.putInto(pdf);
    await svg2pdf(copy, pdf, { x: 0, y: 0, width, height });
    return pdf.output('blob');
  } finally {
    place.remove();
  }
}
