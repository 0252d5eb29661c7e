/** What draws a picture. */
export type Pen = OffscreenCanvasRenderingContext2D;

/** How a canvas was drawn, in CSS pixels: whoever prints it draws it again, finer. */
export interface CanvasDrawing {
  readonly width: number;
  readonly height: number;
  readonly draw: (context: Pen) => void;
}

const drawings = new WeakMap<HTMLCanvasElement, CanvasDrawing>();

export const keepDrawing = (canvas: HTMLCanvasElement, drawing: CanvasDrawing): unknown =>
  drawings.set(canvas, drawing);

export const drawingOf = (canvas: HTMLCanvasElement): CanvasDrawing | undefined => drawings.get(canvas);

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A text as a picture has it, on its baseline. */
export interface PlacedText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly fill: string;
  readonly family: string;
  readonly size: string;
  readonly weight: string;
  readonly anchor: 'start' | 'middle' | 'end';
  /** The part of the picture in which it shows. */
  readonly clip?: Rectangle;
}

const ANCHORS: Readonly<Partial<Record<CanvasTextAlign, PlacedText['anchor']>>> = { right: 'end', center: 'middle' };

/** One where the same text stands in the same ink, piece by piece: then its pieces are all of it. */
function whole(texts: readonly PlacedText[]): PlacedText[] {
  const same = (a: PlacedText, b: PlacedText) => a.text === b.text && a.x === b.x && a.y === b.y;
  return texts.flatMap((text, k) => {
    const pieces = texts.filter((other) => same(other, text));
    if (pieces.some(({ fill }) => fill !== text.fill)) return [text];
    return texts.findIndex((other) => same(other, text)) === k ? [{ ...text, clip: undefined }] : [];
  });
}

/** Draws all but the text onto `context`. @returns the text. */
export function drawWithoutText(context: Pen, draw: (context: Pen) => void): readonly PlacedText[] {
  const texts: PlacedText[] = [];
  const clips: (Rectangle | undefined)[] = [];
  let [clip, last]: (Rectangle | undefined)[] = [];
  /** From where the pen puts text to its baseline. */
  const toBaseline = () => {
    const own = context.measureText('x').fontBoundingBoxAscent;
    const { textBaseline } = context;
    context.textBaseline = 'alphabetic';
    const above = context.measureText('x').fontBoundingBoxAscent;
    context.textBaseline = textBaseline;
    return above - own;
  };
  const kept: Partial<Record<keyof Pen, (...values: never[]) => void>> = {
    fillText: (text: string, x: number, y: number) => {
      const [, weight = '400', size = '10px', family = 'sans-serif'] =
        /^(?:(\S+) )?([\d.]+px) (.+)$/.exec(context.font) ?? [];
      const anchor = ANCHORS[context.textAlign] ?? 'start';
      if (text !== '')
        texts.push({
          text,
          x,
          y: y + toBaseline(),
          fill: String(context.fillStyle),
          family,
          size,
          weight,
          anchor,
          clip,
        });
    },
    rect: (x: number, y: number, width: number, height: number) => {
      last = { x, y, width, height };
      context.rect(x, y, width, height);
    },
    clip: () => {
      clip = last;
      context.clip();
    },
    save: () => {
      clips.push(clip);
      context.save();
    },
    restore: () => {
      clip = clips.pop();
      context.restore();
    },
  };
  const pen = new Proxy(context, {
    get: (target, name) => {
      if (name in kept) return kept[name as keyof Pen];
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  draw(pen);
  return whole(texts);
}
