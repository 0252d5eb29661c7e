import type { Run } from '@/lib/api/schemas';
import { type ModelView, modelView, tellingLayer, type View } from '../data/view';
import type { Selection } from '../state/selection';

/** What a comparison takes of the selection. */
export type CompareSelection = Pick<Selection, 'position' | 'layer'>;

type OfRun = readonly [run: Run, model: number];

/**
 * One model of each of two runs as the figures take them. Each is read with its own target and needle, and at its own
 * read-out until a position is chosen. Different prompts are matched place for place.
 */
export function compareView(selection: CompareSelection, [first, a]: OfRun, [second, b]: OfRun): View {
  const [modelA, modelB] = [first.models[a], second.models[b]];
  const own = selection.position < 0;
  const samePrompt = first.request.prompt === second.request.prompt;
  const place = { position: selection.position, needle: null, competing: [], question: [] };
  const views = [
    modelView(place, { run: first, index: a, slot: 'A', a: modelA, stale: own, target: first.request.target }),
    modelView(place, {
      run: second,
      index: b,
      slot: 'B',
      target: second.request.target,
      stale: own,
      a: samePrompt ? modelA : modelB,
    }),
  ].map((view): ModelView => ({ ...view, needle: spanOf(view) }));
  const layers = Math.max(...views.map((view) => view.layers));
  const chosen = selection.layer < 0 ? tellingLayer([modelA, modelB]) : selection.layer;
  return {
    run: first,
    stale: false,
    models: views,
    layers,
    target: first.request.target,
    tokens: modelA.tokens,
    layer: Math.min(Math.max(0, chosen), Math.max(0, layers - 1)),
    position: views[0].position,
  };
}

const spanOf = ({ model: { needle } }: ModelView): readonly [number, number] | undefined =>
  needle ? [needle[0], needle[1] - 1] : undefined;
