'use client';
import type { Lens } from '@/lib/api/bodies';
import { METRIC_INFO, METRICS } from '../charts/curve';
import { onAxis } from '../charts/layerAxis';
import { displayToken } from '../charts/tokens';
import { fitWindow, type MapWindow } from '../charts/window';
import { useDrawnMaps } from '../data/drawnMaps';
import { rowRange } from '../data/lensRows';
import { useLayerMaps } from '../data/mapQueries';
import { type MapPanel, surfaceId, usePanels } from '../data/panels';
import { useLenses, useSignals, useTargetIds, useTokenTexts } from '../data/queries';
import { metricOnAxis } from '../data/series';
import { type ModelView, ownRegion, type View } from '../data/view';
import { useSelection } from '../state/selection';
import { titleOf } from './captions';
import { figureSvg, figuresOnPage, marked, svgText } from './figureSvg';
import { embeddedFonts } from './fonts';
import { htmlDocument, type SavedFigure } from './htmlDocument';
import { type Area, type Box, packCells, type SavedLensCell, type SavedView } from './savedView';

/** Top tokens of a lens cell that are saved. */
const TOP = 5;
/** Height of the tick labels above a lens grid. */
const LENS_HEAD = 20;
const FAMILIES = new Set(['Inter Variable', 'Inter', 'IBM Plex Mono']);

function boxIn(figure: HTMLElement, element: Element): Box {
  const [own, origin] = [element.getBoundingClientRect(), figure.getBoundingClientRect()];
  return { x: own.left - origin.left, y: own.top - origin.top, width: own.width, height: own.height };
}

function mapArea(figure: HTMLElement, panel: MapPanel, view: View, window: MapWindow | null): Area | undefined {
  const surface = figure.querySelector(`[data-testid="${surfaceId(panel)}"]`);
  const { drawn, entry, name, branch } = panel;
  if (!surface || !drawn) return undefined;
  const { row0, row1, column0, column1 } = ownRegion(entry.model, window);
  return {
    figure: figure.id,
    kind: 'map',
    box: boxIn(figure, surface),
    model: view.models.indexOf(entry.model),
    name: name === 'Δ' ? 'B − A' : branch ? `${name} ${branch}` : name,
    signed: drawn.scale.signed,
    rows: [row0, row1],
    columns: [column0, column1],
    values: packCells(drawn.raw, drawn.L, [row0, row1], [column0, column1]),
  };
}

function lensCell(lens: Lens, entry: number, position: number, textOf: (id: number) => string): SavedLensCell {
  const { statistics, k, L } = lens;
  const at = entry * L + position;
  const of = (name: keyof typeof statistics) => statistics[name]?.[at] ?? Number.NaN;
  return {
    top: Array.from({ length: Math.min(TOP, k) }, (_, rank) => [
      displayToken(textOf(lens.topIds[at * k + rank])),
      lens.topProbs[at * k + rank],
    ]),
    // The API counts the tokens above the target.
    target: of('target_prob'),
    rank: of('target_rank') + 1,
    entropy: of('entropy'),
  };
}

/** Rows of the lens grid as the page shows them. */
function shownRows(view: View, model: ModelView, chosen: Parameters<typeof rowRange>[0]): number[] {
  const { needle, position } = view.models[0];
  const known = chosen !== 'needle' || needle ? chosen : 'last';
  const [from, to] = rowRange(known, view.tokens.length, position, needle);
  const rows = Array.from({ length: to - from + 1 }, (_, k) => from + k);
  return model.fromA ? rows.map((row) => model.fromA?.[row] ?? -1).filter((own) => own >= 0) : rows;
}

/** A function that makes one HTML file of what the page shows: pictures as they are, and the numbers that they answer with. */
export function useWholeView(view: View, note: string): () => Promise<string> {
  const targets = useTargetIds(view);
  const signals = useSignals(view, targets).map(({ data }) => data);
  const lenses = useLenses(view, targets).map(({ data }) => data);
  const entries = useLayerMaps(view, targets);
  const panels = usePanels(entries, useDrawnMaps(entries));
  const texts = [useTokenTexts(view.models[0]), useTokenTexts(view.models[view.models.length - 1])];
  const chosenWindow = useSelection((s) => s.window);
  const lensRows = useSelection((s) => s.lensRows);
  const window = chosenWindow && fitWindow(chosenWindow, view.tokens.length);

  const lensArea = (figure: HTMLElement, model: ModelView, k: number): Area | undefined => {
    const surface = figure.querySelector(`[data-testid="lens-${model.slot}"] ${marked('surface')}`);
    const lens = lenses[k];
    const rows = shownRows(view, model, lensRows);
    if (!surface || !lens) return undefined;
    const cells = rows.map((position) =>
      onAxis(
        lens.entries,
        lens.entries.map((_, entry) => lensCell(lens, entry, position, texts[k])),
        view.layers,
      ).map((cell) => cell ?? null),
    );
    const box = boxIn(figure, surface);
    return { figure: figure.id, kind: 'lens', box, model: k, head: LENS_HEAD, rows, cells };
  };

  const areasOf = (figure: HTMLElement): (Area | undefined)[] => {
    if (figure.id === 'attention') return panels.map((panel) => mapArea(figure, panel, view, window));
    if (figure.id === 'lens') return view.models.map((model, k) => lensArea(figure, model, k));
    if (figure.id !== 'signal') return [];
    return [...figure.querySelectorAll(marked('surface'))].map((surface) => ({
      figure: figure.id,
      kind: 'layers',
      box: boxIn(figure, surface),
    }));
  };

  return async () => {
    const onPage = figuresOnPage();
    const figures: SavedFigure[] = [];
    for (const { id, title, figure } of onPage)
      figures.push({ id, title, svg: svgText(await figureSvg(figure, '', { prefix: `${id}-`, bare: true })) });
    const saved: SavedView = {
      title: titleOf(view),
      note,
      layers: view.layers,
      models: view.models.map((model, k) => {
        const signal = signals[k];
        const curve = (name: (typeof METRICS)[number]) =>
          signal ? metricOnAxis(signal, name, view.layers).map((value) => value ?? null) : [];
        // Not a curve of the file where it was not asked for.
        const known = METRICS.filter(
          (name) => name !== 'needle_against_context' || signals.some((each) => each?.needle_against_context),
        );
        return {
          slot: model.slot,
          name: model.name,
          linked: model.fromA === undefined,
          tokens: model.tokens.map(({ text }) => displayToken(text)),
          curves: Object.fromEntries(known.map((name) => [METRIC_INFO[name].label, curve(name)])),
        };
      }),
      areas: onPage.flatMap(({ figure }) => areasOf(figure)).filter((area) => area !== undefined),
    };
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    return htmlDocument(saved, figures, {
      fonts: await embeddedFonts(FAMILIES, JSON.stringify(saved) + document.body.textContent),
      font: getComputedStyle(document.body).fontFamily,
      mono: colour('--mono'),
      background: colour('--bg'),
      ink: colour('--ink'),
      panel: colour('--panel'),
      line: colour('--line'),
    });
  };
}
