'use client';
import { useState } from 'react';
import type { View } from '../data/view';
import { Control } from '../ui/Control';
import { Select } from '../ui/Select';
import { fileName, noteOf, titleOf } from './captions';
import { svgText } from './figureSvg';
import { pngOf, save, withDots } from './files';
import { PAPER_WIDTHS, type PaperFigure, POINTS, panelsOnPage, paperFigure } from './paperFigure';

const WIDTHS = PAPER_WIDTHS.map((width) => ({
  value: String(width),
  label: `${width} mm, ${width === PAPER_WIDTHS[0] ? 'one column' : 'two columns'}`,
}));
const FORMATS = [
  { value: 'pdf', label: 'PDF' },
  { value: 'svg', label: 'SVG' },
  { value: '300', label: 'PNG, 300 dots an inch' },
  { value: '600', label: 'PNG, 600 dots an inch' },
] as const;
type Format = (typeof FORMATS)[number]['value'];
/** Pixels of a drawing's inch. */
const SCREEN_DOTS = 96;

async function fileOf(figure: PaperFigure, format: Format, title: string): Promise<Blob> {
  if (format === 'pdf') {
    const { pdfOf } = await import('./pdf');
    return pdfOf(figure.svg, figure, title);
  }
  const svg = svgText(figure.svg);
  if (format === 'svg') return new Blob([svg], { type: 'image/svg+xml' });
  const dots = Number(format);
  const png = await pngOf(svg, dots / SCREEN_DOTS);
  return new Blob([withDots(new Uint8Array(await png.arrayBuffer()), dots)], { type: 'image/png' });
}

/** Makes one figure for print of chosen panels. */
export function PaperBuilder({ view }: { view: View }) {
  const [panels] = useState(panelsOnPage);
  const [chosen, setChosen] = useState<readonly string[]>(() => panels.slice(0, 1).map(({ id }) => id));
  const [width, setWidth] = useState<string>(WIDTHS[0].value);
  const [points, setPoints] = useState<string>(String(POINTS.least));
  const [format, setFormat] = useState<Format>('pdf');
  const [working, setWorking] = useState(false);
  const [problem, setProblem] = useState('');
  const [caption, setCaption] = useState('');
  const make = async () => {
    setWorking(true);
    setProblem('');
    try {
      const size = Number(points);
      if (!(size >= POINTS.least && size <= POINTS.most))
        throw new Error(`Labels have ${POINTS.least} to ${POINTS.most} points, not “${points}”.`);
      const figure = await paperFigure({
        panels: chosen,
        width: Number(width) as (typeof PAPER_WIDTHS)[number],
        points: size,
      });
      const extension = format === 'pdf' || format === 'svg' ? format : 'png';
      save(await fileOf(figure, format, titleOf(view)), `${fileName(view)}-figure.${extension}`);
      setCaption(`${figure.caption} ${noteOf(view)}`);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setWorking(false);
    }
  };
  const sections = [...new Set(panels.map(({ section }) => section))];
  return (
    <section aria-labelledby="paper-title" data-testid="paper-builder">
      <h3 id="paper-title">One figure for print</h3>
      {sections.map((section) => (
        <fieldset key={section} className="panels">
          <legend>{section}</legend>
          {panels
            .filter((panel) => panel.section === section)
            .map(({ id, title }) => (
              <label key={id} className="checkbox">
                <input
                  type="checkbox"
                  data-testid={`panel-${id}`}
                  checked={chosen.includes(id)}
                  onChange={({ target }) =>
                    setChosen(target.checked ? [...chosen, id] : chosen.filter((other) => other !== id))
                  }
                />
                {title}
              </label>
            ))}
        </fieldset>
      ))}
      <p className="row">
        <Control caption="Width">
          <Select label="Width of the figure" testId="paper-width" value={width} options={WIDTHS} onChange={setWidth} />
        </Control>
        <Control caption="Smallest label">
          <input
            className="field number"
            type="number"
            min={POINTS.least}
            max={POINTS.most}
            step={0.5}
            aria-label="Size of the smallest label, in points"
            data-testid="paper-points"
            value={points}
            onChange={({ target }) => setPoints(target.value)}
          />
          pt
        </Control>
        <Control caption="Format">
          <Select label="Format" testId="paper-format" value={format} options={FORMATS} onChange={setFormat} />
        </Control>
        <button
          type="button"
          className="button low primary"
          data-testid="paper-save"
          disabled={working || chosen.length === 0}
          onClick={() => void make()}
        >
          {working ? 'Working…' : 'Save'}
        </button>
      </p>
      <p className="note">
        Always light, without what stands beside a figure; the panels are laid out anew for the width. The caption comes
        with the file.
      </p>
      {problem && (
        <p className="note bad" role="alert">
          {problem}
        </p>
      )}
      {caption && <pre data-testid="paper-caption">{caption}</pre>}
    </section>
  );
}
