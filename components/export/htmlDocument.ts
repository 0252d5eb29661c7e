import { visible } from '../charts/tokens';
import { FIGURE_MARGIN } from './figureSvg';
import { hoverScript } from './hoverScript';
import type { Area, SavedView } from './savedView';

export interface SavedFigure {
  readonly id: string;
  readonly title: string;
  readonly svg: string;
}

interface Look {
  /** Font faces with the files inside. */
  readonly fonts: string;
  readonly font: string;
  readonly mono: string;
  readonly background: string;
  readonly ink: string;
  readonly panel: string;
  readonly line: string;
}

const escaped = (text: string) =>
  visible(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const AREA_NAMES: Record<Area['kind'], string> = {
  map: 'Attention map; arrow keys move a cell cursor',
  layers: 'Signal by layer; arrow keys move along the layers',
  lens: 'Lens; arrow keys move over layers and positions',
};

function surface({ kind, box }: Area, k: number): string {
  const style = `left:${box.x + FIGURE_MARGIN}px;top:${box.y + FIGURE_MARGIN}px;width:${box.width}px;height:${box.height}px`;
  return `<div class="area" data-area="${k}" tabindex="0" role="application" aria-label="${AREA_NAMES[kind]}" style="${style}"></div>`;
}

/** One file that needs nothing else: pictures, numbers, and a program that answers the pointer and the arrow keys. */
export function htmlDocument(view: SavedView, figures: readonly SavedFigure[], look: Look): string {
  const sections = figures.map(({ id, title, svg }) => {
    const areas = view.areas.map((area, k) => (area.figure === id ? surface(area, k) : '')).join('');
    return `<section aria-label="${escaped(title)}"><div class="figure">${svg}${areas}</div></section>`;
  });
  const prompt = view.models.map(
    ({ slot, name, tokens }) => `<p><b>${slot}</b> ${escaped(name)}, ${tokens.length} tokens</p>`,
  );
  const shown = JSON.stringify(view, (_, value) => (typeof value === 'string' ? visible(value) : value));
  // JSON inside a script must not end it.
  const data = shown.replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(view.title)}</title>
<style>
${look.fonts}
body{margin:0;padding:16px 16px 96px;background:${look.background};color:${look.ink};font:13px/20px ${look.font}}
h1{font-size:18px;margin:0 0 4px}
p{margin:0;max-width:110ch}
section{overflow-x:auto;margin-top:16px;border-top:1px solid ${look.line}}
.figure{position:relative;width:max-content}
.figure>svg{display:block}
.area{position:absolute;cursor:crosshair;overflow:hidden}
.area:focus-visible{outline:2px solid ${look.ink};outline-offset:2px}
.area i{display:none;position:absolute;box-sizing:border-box;border:1px solid ${look.ink};pointer-events:none}
#readout{position:fixed;left:0;right:0;bottom:0;min-height:20px;max-height:40vh;overflow:auto;padding:10px 16px;background:${look.panel};border-top:1px solid ${look.line};font:12px/18px ${look.mono};white-space:pre-wrap}
</style>
</head>
<body>
<h1>${escaped(view.title)}</h1>
<p>${escaped(view.note)}</p>
${prompt.join('\n')}
<main>
${sections.join('\n')}
</main>
<div id="readout" role="status" aria-live="polite">Point at a map, a curve or a lens, or focus one and use the arrow keys: its exact values appear here.</div>
<script type="application/json" id="saved">${data}</script>
<script>(${hoverScript.toString()})()</script>
</body>
</html>
`;
}
