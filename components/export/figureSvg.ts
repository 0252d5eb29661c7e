import { visible } from '../charts/tokens';
import { type CanvasDrawing, drawingOf, drawWithoutText } from '../ui/drawings';
import { embeddedFonts } from './fonts';
import { CELLS_AS_RECTANGLES, rectanglesOf } from './rectangles';

/** A figure of the page as a drawing that needs nothing else: text stays text, what else a canvas shows is one image. */

const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = 16;
const LINE = 15;
/** Dots of a canvas that is drawn anew, for each of the page's. */
const FINER = 4;
/** Width of a character of the note at its size, on average. */
const CHARACTER = 5.6;

/**
 * What an element is on paper, in words of its `data-export`, which the section that owns it writes:
 *
 * - `figure`: it can be exported by its id;
 * - `omit`: it is no part of the figure, with all that is inside;
 * - `keep`: it is part of the figure although it is a control: a button that names a row, or is a token of a text;
 * - `setting`: a control that is drawn as it is set;
 * - `tool`: a control that says nothing of what the figure shows, or holds such controls: what it is set to is not written below;
 * - `cells`: its canvas has one pixel a cell;
 * - `surface`: it takes the pointer, in a saved page too;
 * - `bracket`, with `first` and `last` at its ends: a needle's bracket stands over it;
 * - `key`: it says how the section's panels are to be read, and goes with them into a figure for print.
 */
type Word =
  | 'figure'
  | 'omit'
  | 'keep'
  | 'setting'
  | 'tool'
  | 'cells'
  | 'surface'
  | 'bracket'
  | 'first'
  | 'last'
  | 'key';

/** The selector of what is marked with a word. */
export const marked = (word: Word): string => `[data-export~="${word}"]`;

/** Controls are no part of a figure on paper, whatever section they are of. */
const CONTROLS =
  'summary, button, a[download], select, :has(> select), input, textarea, label:has(input, select), dialog';
const LEFT_OUT = `${marked('omit')}, :is(${CONTROLS}):not(${marked('keep')})`;

/** The figures that are on the page now. */
export const figuresOnPage = () =>
  [...document.querySelectorAll<HTMLElement>(`main ${marked('figure')}`)].map((figure) => ({
    id: figure.id,
    title: figure.querySelector('h2')?.textContent ?? figure.id,
    figure,
  }));

/** Letters and digits of the page's shapes: text is set to its width there, and would be stretched otherwise. */
const shapes = ({ fontFeatureSettings }: CSSStyleDeclaration): string => `font-feature-settings:${fontFeatureSettings}`;

const SVG_STYLES = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-dasharray',
  'stroke-linecap',
  'stroke-linejoin',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'dominant-baseline',
  'paint-order',
  'visibility',
] as const;

type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, typeof value === 'number' ? String(Math.round(value * 100) / 100) : value);
  return made;
}

const isClear = (colour: string) => colour === 'transparent' || /^rgba\(.*,\s*0\)$|\/\s*0\)$/.test(colour);

export interface FigureOptions {
  /** Whether the cells of maps are rectangles instead of one embedded image. */
  readonly rectangles?: boolean;
  /** Sets the names inside apart from those of other figures in one document. */
  readonly prefix?: string;
  /** Whether the fonts are left to the document around it. */
  readonly bare?: boolean;
}

/** While it is drawn, a figure has this class. */
export const ON_PAPER = 'on-paper';

/** Space around a figure, in pixels. */
export const FIGURE_MARGIN = MARGIN;

/** Draws what the page shows, from an origin on the screen. */
export class Drawing {
  readonly families = new Set<string>();
  text = '';
  #clips = 0;
  readonly #measure = document.createElement('canvas').getContext('2d');

  constructor(
    private readonly origin: Readonly<{ left: number; top: number }>,
    private readonly options: FigureOptions = {},
  ) {}

  add(node: Element, into: SVGElement): void {
    const style = getComputedStyle(node);
    if (node instanceof HTMLInputElement && node.matches(marked('setting'))) {
      this.#setting(node, style, into);
      return;
    }
    if (node.matches(LEFT_OUT) || style.display === 'none' || style.visibility === 'hidden' || style.opacity === '0')
      return;
    if (node instanceof SVGSVGElement) {
      this.#svg(node, into);
      return;
    }
    const box = this.#place(node.getBoundingClientRect());
    if (node instanceof HTMLCanvasElement) {
      if (node.width * node.height === 0 || box.width === 0) return;
      const drawing = drawingOf(node);
      if (this.options.rectangles && node.closest(marked('cells'))) this.#rectangles(node, box, into);
      else if (drawing) this.#redrawn(drawing, box, into);
      else
        into.append(
          element('image', {
            ...box,
            href: node.toDataURL(),
            preserveAspectRatio: 'none',
            style: 'image-rendering:pixelated',
          }),
        );
      return;
    }
    this.#box(style, box, into);
    if (node.matches(marked('bracket'))) this.#bracket(node, style, into);
    const inside = style.overflow === 'visible' ? into : this.#clip(box, into);
    let words: Text[] = [];
    for (const child of [...node.childNodes, null]) {
      if (child instanceof Text) words.push(child);
      else if (!(child instanceof Comment)) {
        this.#lines(words, style, inside);
        words = [];
        if (child instanceof Element) this.add(child, inside);
      }
    }
  }

  /** A picture drawn anew, finer than the screen shows it, with its text as text. */
  #redrawn(
    { width, height, draw }: CanvasDrawing,
    box: { x: number; y: number; width: number; height: number },
    into: SVGElement,
  ): void {
    const sheet = new OffscreenCanvas(Math.ceil(width * FINER), Math.ceil(height * FINER));
    const context = sheet.getContext('2d');
    if (!context) return;
    context.scale(FINER, FINER);
    const texts = drawWithoutText(context, draw);
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [sheet.width, sheet.height];
    copy.getContext('2d')?.drawImage(sheet, 0, 0);
    into.append(
      element('image', {
        ...box,
        href: copy.toDataURL(),
        preserveAspectRatio: 'none',
        style: 'image-rendering:pixelated',
      }),
    );
    for (const { text, x, y, fill, family, size, weight, anchor, clip } of texts) {
      this.#note(family, text);
      const drawn = element('text', {
        x: box.x + x,
        y: box.y + y,
        fill,
        'font-family': family,
        'font-size': size,
        'font-weight': weight,
        'text-anchor': anchor,
      });
      drawn.textContent = text;
      const place = clip && { x: box.x + clip.x, y: box.y + clip.y, width: clip.width, height: clip.height };
      (place ? this.#clip(place, into) : into).append(drawn);
    }
  }

  /** @throws Error with one sentence where there are too many. */
  #rectangles(
    canvas: HTMLCanvasElement,
    box: { x: number; y: number; width: number; height: number },
    into: SVGElement,
  ) {
    const { width, height } = canvas;
    if (width * height > CELLS_AS_RECTANGLES ** 2)
      throw new Error(
        `This map has ${width} × ${height} cells; rectangles are for maps up to ${CELLS_AS_RECTANGLES} × ${CELLS_AS_RECTANGLES}. Zoom in, or leave the cells as an image.`,
      );
    const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy?.drawImage(canvas, 0, 0);
    const pixels = copy?.getImageData(0, 0, width, height).data;
    if (!pixels) return;
    const group = element('g', { 'shape-rendering': 'crispEdges' });
    const [w, h] = [box.width / width, box.height / height];
    for (const { x, y, length, fill } of rectanglesOf(pixels, width, height))
      group.append(element('rect', { x: box.x + x * w, y: box.y + y * h, width: length * w, height: h, fill }));
    into.append(group);
  }

  /** What a control of a figure is set to: a part that is on or off, a λ, a word. */
  #setting(input: HTMLInputElement, style: CSSStyleDeclaration, into: SVGElement): void {
    const { x, y, width, height } = this.#place(input.getBoundingClientRect());
    if (width === 0) return;
    const ink = style.accentColor === 'auto' ? style.color : style.accentColor;
    if (input.type === 'checkbox') {
      const box = { x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, rx: 2 };
      into.append(element('rect', { ...box, fill: input.checked ? ink : 'none', stroke: ink }));
      return;
    }
    if (input.type === 'range') {
      const [low, high] = [Number(input.min), Number(input.max)];
      const middle = x + width / 2;
      const at = y + height * (1 - (Number(input.value) - low) / (high - low || 1));
      into.append(element('line', { x1: middle, x2: middle, y1: y, y2: y + height, stroke: ink, 'stroke-width': 1 }));
      into.append(element('circle', { cx: middle, cy: at, r: 4, fill: ink }));
      return;
    }
    if (input.value.trim() === '') return;
    this.#note(style.fontFamily, input.value);
    const text = element('text', {
      x: x + width,
      y: y + this.#baseline(style, height),
      'text-anchor': 'end',
      fill: style.color,
      'font-family': style.fontFamily,
      'font-size': style.fontSize,
    });
    text.textContent = input.value.trim();
    into.append(text);
  }

  /** The bracket over the needle's tokens, which the page draws beside its elements. */
  #bracket(chip: Element, style: CSSStyleDeclaration, into: SVGElement): void {
    const { x, y, width } = this.#place(chip.getBoundingClientRect());
    const tick = (at: Word, edge: number) => (chip.matches(marked(at)) ? `M${edge},${y + 5}v-3` : `M${edge},${y + 2}`);
    const d = `${tick('first', x)}H${x + width}${chip.matches(marked('last')) ? 'v3' : ''}`;
    into.append(element('path', { d, fill: 'none', stroke: style.color }));
  }

  #place({ left, top, width, height }: DOMRect) {
    return { x: left - this.origin.left, y: top - this.origin.top, width, height };
  }

  #clip(box: Attributes, into: SVGElement): SVGElement {
    const id = `${this.options.prefix ?? ''}clip-${++this.#clips}`;
    const path = element('clipPath', { id });
    path.append(element('rect', box));
    const group = element('g', { 'clip-path': `url(#${id})` });
    into.append(path, group);
    return group;
  }

  #box(
    style: CSSStyleDeclaration,
    box: { x: number; y: number; width: number; height: number },
    into: SVGElement,
  ): void {
    if (!isClear(style.backgroundColor)) into.append(element('rect', { ...box, fill: style.backgroundColor }));
    const { x, y, width, height } = box;
    const sides = { Top: [x, y, x + width, y], Right: [x + width, y, x + width, y + height] } as Record<
      string,
      number[]
    >;
    sides.Bottom = [x, y + height, x + width, y + height];
    sides.Left = [x, y, x, y + height];
    for (const [side, [x1, y1, x2, y2]] of Object.entries(sides)) {
      const name = side.toLowerCase();
      const thick = Number.parseFloat(style.getPropertyValue(`border-${name}-width`));
      const colour = style.getPropertyValue(`border-${name}-color`);
      if (thick > 0 && !isClear(colour) && style.getPropertyValue(`border-${name}-style`) !== 'none')
        into.append(element('line', { x1, y1, x2, y2, stroke: colour, 'stroke-width': thick }));
    }
  }

  /** A drawing inside the page, its style sheet written into its elements. */
  #svg(node: SVGSVGElement, into: SVGElement): void {
    const copy = node.cloneNode(true) as SVGSVGElement;
    const originals = [node, ...node.querySelectorAll('*')];
    const copies = [copy, ...copy.querySelectorAll('*')];
    for (const [k, original] of originals.entries()) {
      const style = getComputedStyle(original);
      const target = copies[k];
      if (style.display === 'none' || original.matches(LEFT_OUT)) {
        target.remove();
        continue;
      }
      for (const property of SVG_STYLES) target.setAttribute(property, style.getPropertyValue(property));
      for (const name of ['class', 'style', 'tabindex', 'role']) target.removeAttribute(name);
      if (original instanceof SVGTextElement) target.setAttribute('style', shapes(style));
      if (original instanceof SVGTextElement) this.#note(style.fontFamily, original.textContent ?? '');
    }
    const box = this.#place(node.getBoundingClientRect());
    for (const [key, value] of Object.entries(box)) copy.setAttribute(key, String(value));
    copy.setAttribute('overflow', 'visible');
    into.append(copy);
  }

  #note(family: string, text: string): void {
    for (const name of family.split(',')) this.families.add(name.replaceAll(/["']/g, '').trim());
    this.text += visible(text);
  }

  /** Text nodes side by side, which are one text to a reader, line by line as the page broke them. */
  #lines(nodes: readonly Text[], style: CSSStyleDeclaration, into: SVGElement): void {
    const data = nodes.map((node) => node.data).join('');
    const range = document.createRange();
    const lines: { text: string; box: DOMRect; right: number }[] = [];
    // The start lies before a letter of the text, the end behind one.
    const set = (end: 'setStart' | 'setEnd', index: number) => {
      let at = index;
      for (const node of nodes) {
        if (at < node.length) return range[end](node, end === 'setStart' ? at : at + 1);
        at -= node.length;
      }
    };
    for (const { 0: word, index } of data.matchAll(/\S+/g)) {
      set('setStart', index);
      set('setEnd', index + word.length - 1);
      const box = range.getBoundingClientRect();
      if (box.width === 0) continue;
      const last = lines.at(-1);
      if (last && Math.abs(last.box.top - box.top) < 2) {
        last.text += ` ${word}`;
        last.right = box.right;
      } else lines.push({ text: word, box, right: box.right });
    }
    this.#note(style.fontFamily, data);
    for (const { text, box, right } of lines) {
      const { x, y, height } = this.#place(box);
      const drawn = element('text', {
        x,
        y: y + this.#baseline(style, height),
        fill: style.color,
        'font-family': style.fontFamily,
        'font-size': style.fontSize,
        'font-weight': style.fontWeight,
        textLength: right - box.left,
        lengthAdjust: 'spacingAndGlyphs',
        style: shapes(style),
      });
      drawn.textContent = text;
      into.append(drawn);
      const decoration = style.textDecorationLine;
      const rule = { x1: x, x2: x + right - box.left, stroke: style.color };
      for (const [line, at] of [
        ['underline', 0.95],
        ['line-through', 0.55],
      ] as const)
        if (decoration.includes(line))
          into.append(element('line', { ...rule, y1: y + at * height, y2: y + at * height }));
    }
  }

  /** From the top of a line of text to its baseline. */
  #baseline(style: CSSStyleDeclaration, height: number): number {
    const size = Number.parseFloat(style.fontSize);
    if (!this.#measure) return 0.5 * (height + 0.7 * size);
    this.#measure.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = this.#measure.measureText('x');
    return 0.5 * (height - up - down) + up;
  }
}

/**
 * What the controls of a figure are set to, which are no part of the drawing: “Form: S6 α · Reduction over channels: signed
 * mean”. Those that are drawn, or say nothing of the figure, are left out.
 */
export function settingsOf(figure: HTMLElement): string {
  const controls = figure.querySelectorAll<HTMLElement>('select, [role="radiogroup"], input[type="checkbox"]');
  return [...controls]
    .filter(
      // What is folded away is set all the same.
      (control) =>
        (control.checkVisibility() || control.closest('.more[hidden]')) &&
        !control.closest(`${marked('tool')}, ${marked('setting')}, dialog`),
    )
    .flatMap((control) => {
      if (control instanceof HTMLInputElement)
        return control.checked ? [control.closest('label')?.textContent ?? ''] : [];
      const chosen =
        control instanceof HTMLSelectElement
          ? control.selectedOptions[0]?.text
          : control.querySelector('input:checked')?.closest('label')?.textContent;
      return chosen ? [`${control.getAttribute('aria-label')}: ${chosen}`] : [];
    })
    .map((said) => said.trim())
    .filter(Boolean)
    .join(' · ');
}

/** Breaks text into lines of about `width` pixels. */
function wrap(text: string, width: number): string[] {
  const most = Math.max(20, Math.floor(width / CHARACTER));
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A figure with what its lists would show if one scrolled; the page is as before when this returns. */
function drawn(figure: HTMLElement, options: FigureOptions) {
  figure.classList.add(ON_PAPER);
  const folded = [...figure.querySelectorAll<HTMLDetailsElement>('details:not([open])')];
  for (const part of folded) part.open = true;
  try {
    const box = figure.getBoundingClientRect();
    const drawing = new Drawing(box, options);
    const group = element('g', {});
    drawing.add(figure, group);
    return { box, figure: group, families: drawing.families, text: drawing.text };
  } finally {
    figure.classList.remove(ON_PAPER);
    for (const part of folded) part.open = false;
  }
}

/** @param note written below the figure: what it shows and of which run. */
export async function figureSvg(
  figure: HTMLElement,
  note: string,
  options: FigureOptions = {},
): Promise<SVGSVGElement> {
  const drawing = drawn(figure, options);
  const { box } = drawing;
  const width = Math.ceil(box.width);
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const lines = [settingsOf(figure), note].filter(Boolean).flatMap((text) => wrap(text, width));
  const height = Math.ceil(box.height) + lines.length * LINE + MARGIN;
  const full = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  const svg = element('svg', {
    xmlns: SVG,
    ...full,
    viewBox: `${-MARGIN} ${-MARGIN} ${full.width} ${full.height}`,
  }) as SVGSVGElement;
  svg.append(element('rect', { x: -MARGIN, y: -MARGIN, ...full, fill: colour('--bg') }));
  svg.append(drawing.figure);
  const font = getComputedStyle(document.body).fontFamily;
  for (const [k, text] of lines.entries()) {
    const y = box.height + MARGIN + (k + 0.75) * LINE;
    const line = element('text', { x: 0, y, 'font-size': 11, 'font-family': font, fill: colour('--ink-2') });
    line.textContent = text;
    svg.append(line);
  }
  for (const name of font.split(',')) drawing.families.add(name.replaceAll(/["']/g, '').trim());
  if (options.bare) return svg;
  await embedFonts(svg, drawing.families, drawing.text + visible(lines.join(' ')));
  return svg;
}

/** Puts the fonts of a drawing into it. */
export async function embedFonts(svg: SVGSVGElement, families: ReadonlySet<string>, text: string): Promise<void> {
  const fonts = document.createElementNS(SVG, 'style');
  fonts.textContent = await embeddedFonts(families, text);
  svg.prepend(fonts);
}

/** Writes what is not seen by its name, wherever it stands: XML has no way to hold a control character. */
function makeVisible(svg: SVGSVGElement): void {
  for (const part of [svg, ...svg.querySelectorAll('*')]) {
    for (const attribute of part.attributes) attribute.value = visible(attribute.value);
    for (const child of part.childNodes) if (child instanceof Text) child.data = visible(child.data);
  }
}

/** A drawing as a file: well-formed XML whatever the texts in it. */
export function svgText(svg: SVGSVGElement): string {
  makeVisible(svg);
  return new XMLSerializer().serializeToString(svg);
}
