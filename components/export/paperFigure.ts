import { visible } from '../charts/tokens';
import { showTheme, useTheme } from '../state/theme';
import { usePaper } from '../ui/measure';
import { Drawing, element, embedFonts, figuresOnPage, marked, ON_PAPER, settingsOf } from './figureSvg';

/** A figure for print: chosen panels at their final width, light, with no label smaller than asked. */

/** Widths of one and of two columns of a journal, in millimetres. */
export const PAPER_WIDTHS = [85, 178] as const;
export type PaperWidth = (typeof PAPER_WIDTHS)[number];

/** Smallest and largest size of labels that can be asked for, in points. */
export const POINTS = { least: 6, most: 12 } as const;

const POINTS_A_MM = 72 / 25.4;
/** A guess of the smallest label on the page, in pixels; what was drawn corrects it. */
const SMALLEST = 9;
const GAP = 10;
const LETTER = 12;
/** The page counts as laid out when nothing has changed in it for this long; it is waited for at most so long. */
const QUIET_MS = 200;
const MOST_MS = 8_000;

/** A figure of the page under its name for people who do not see it. */
const PANEL = ':is(.figure, svg[role="img"], [data-panel])[aria-label]';

/** A part of a section that a figure can be made of. */
export interface PaperPanel {
  /** The section, and its place among the section's panels. */
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly element: HTMLElement;
}

/** The panels of a section: its figures, under the names that they have for people who do not see them; what stands in its aside is not drawn. */
const panelsOf = (section: HTMLElement): PaperPanel[] =>
  [...section.querySelectorAll<HTMLElement>(PANEL)]
    .filter((figure) => figure.checkVisibility() && figure.closest('aside') === null)
    .map((figure) => ({
      id: `${section.id}/${figure.dataset.testid ?? ''}`,
      section: section.querySelector('h2')?.textContent?.trim() ?? section.id,
      title: figure.dataset.panel ?? figure.getAttribute('aria-label')?.match(/^[^:.]+/)?.[0] ?? '',
      element: figure,
    }));

/** All panels that are on the page now. */
export const panelsOnPage = (): PaperPanel[] => figuresOnPage().flatMap(({ figure }) => panelsOf(figure));

export interface PaperAsked {
  /** Ids of panels. */
  readonly panels: readonly string[];
  readonly width: PaperWidth;
  /** Size of the smallest label, in points. */
  readonly points: number;
}

export interface PaperFigure {
  /** With its width and height in millimetres. */
  readonly svg: SVGSVGElement;
  readonly width: number;
  readonly height: number;
  /** What stands in each panel, and what the controls of its section are set to. */
  readonly caption: string;
}

/** Waits until the page stands still. */
const settled = (root: Element): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      observer.disconnect();
      clearTimeout(quiet);
      clearTimeout(most);
      requestAnimationFrame(() => resolve());
    };
    const observer = new MutationObserver(() => {
      clearTimeout(quiet);
      quiet = setTimeout(done, QUIET_MS);
    });
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    let quiet = setTimeout(done, QUIET_MS);
    const most = setTimeout(done, MOST_MS);
  });

/** Lays the page out `width` pixels wide, light and without asides, while `draw` runs; then as it was. */
async function onPaper<T>(width: number, draw: () => T): Promise<T> {
  const root = document.documentElement;
  const { theme } = useTheme.getState();
  const top = window.scrollY;
  root.style.setProperty('--paper', `${width}px`);
  root.dataset.paper = '';
  root.classList.add(ON_PAPER);
  showTheme('light');
  usePaper.setState({ width });
  try {
    await settled(document.body);
    return draw();
  } finally {
    usePaper.setState({ width: null });
    showTheme(theme);
    root.classList.remove(ON_PAPER);
    delete root.dataset.paper;
    root.style.removeProperty('--paper');
    window.scrollTo({ top });
  }
}

/** Sizes of all labels of a drawing, in its pixels. */
const labelSizes = (drawing: Element): number[] =>
  [...drawing.querySelectorAll('text, tspan')]
    .filter((node) => node.textContent?.trim())
    .map((node) => Number.parseFloat(node.getAttribute('font-size') ?? ''))
    .filter((size) => size > 0);

interface Drawn {
  readonly group: SVGElement;
  readonly height: number;
  readonly families: ReadonlySet<string>;
  readonly text: string;
  readonly caption: readonly string[];
}

/** Chosen panels below each other, each under its letter, with what explains them. */
function stacked(chosen: ReadonlySet<string>, ink: string, font: string): Drawn {
  const group = element('g', {});
  const families = new Set(font.split(',').map((name) => name.replaceAll(/["']/g, '').trim()));
  const caption: string[] = [];
  const lettered = chosen.size > 1;
  let [y, text, letters] = [0, '', 0];
  for (const { figure: section } of figuresOnPage()) {
    const panels = new Map(
      panelsOf(section).flatMap((panel) => (chosen.has(panel.id) ? [[panel.element, panel]] : [])),
    );
    if (panels.size === 0) continue;
    const column = section.querySelector<HTMLElement>('.column') ?? section;
    const { left } = column.getBoundingClientRect();
    for (const part of column.querySelectorAll<HTMLElement>(`${PANEL}, ${marked('key')}`)) {
      const panel = panels.get(part);
      const isKey = part.matches(marked('key')) && !part.closest('.figure') && part.checkVisibility();
      if (!panel && !isKey) continue;
      if (panel && lettered) {
        const letter = String.fromCharCode(97 + letters++);
        const mark = {
          x: 0,
          y: y + LETTER - 1,
          'font-size': LETTER,
          'font-weight': 700,
          'font-family': font,
          fill: ink,
        };
        const drawn = element('text', mark);
        drawn.textContent = letter;
        group.append(drawn);
        text += letter;
        caption.push(`(${letter}) ${panel.title}.`);
        y += LETTER + 4;
      } else if (panel) caption.push(`${panel.title}.`);
      const box = part.getBoundingClientRect();
      const drawing = new Drawing({ left, top: box.top - y }, { prefix: `${section.id}-${Math.round(y)}-` });
      drawing.add(part, group);
      for (const family of drawing.families) families.add(family);
      text += drawing.text;
      y += box.height + GAP;
    }
    const settings = settingsOf(section);
    if (settings) caption.push(`${settings}.`);
  }
  return { group, height: Math.max(0, y - GAP), families, text, caption };
}

/**
 * The chosen panels as one figure. The page is laid out as wide as its labels need to have their size in print: few pixels for
 * one column, more for two.
 *
 * @throws Error with one sentence where nothing is chosen, or what was chosen has gone.
 */
export async function paperFigure({ panels, width, points }: PaperAsked): Promise<PaperFigure> {
  if (panels.length === 0) throw new Error('Choose at least one panel.');
  const chosen = new Set(panels);
  const across = width * POINTS_A_MM;
  let smallest = SMALLEST;
  for (;;) {
    const pixels = Math.floor((smallest * across) / points);
    const font = getComputedStyle(document.body).fontFamily;
    const drawn = await onPaper(pixels, () => stacked(chosen, '#15191d', font));
    if (drawn.caption.length === 0) throw new Error('These panels are no longer on the page; choose again.');
    const found = Math.min(...labelSizes(drawn.group));
    // A wider page has no smaller labels: at most a second layout is needed.
    if (found < smallest) {
      smallest = found;
      continue;
    }
    const height = Math.ceil(drawn.height);
    const millimetres = (length: number) => (length * width) / pixels;
    const svg = element('svg', {
      xmlns: 'http://www.w3.org/2000/svg',
      width: `${width}mm`,
      height: `${millimetres(height).toFixed(2)}mm`,
      viewBox: `0 0 ${pixels} ${height}`,
    }) as SVGSVGElement;
    svg.append(element('rect', { width: pixels, height, fill: '#ffffff' }), drawn.group);
    await embedFonts(svg, drawn.families, visible(drawn.text));
    return { svg, width, height: millimetres(height), caption: drawn.caption.join(' ') };
  }
}
