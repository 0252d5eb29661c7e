import { createParser, parseAsInteger, parseAsString, parseAsStringLiteral } from 'nuqs';
import { partNamed } from '@/lib/api/parts';
import { MIXERS, PATCH_DIRECTIONS, PATCH_METRICS, PATCH_POINTS } from '@/lib/vocabulary';
import { fieldsOf, type LinkedSettings, linkStore, setting } from '../state/linked';
import { parseAsPair } from '../state/parsers';
import { type CausalSettings, type Changes, isChanged, useCausal } from './settings';

/** λ by layer as `0-3=0.5`, one item for each run of layers with the same value. */
function lambdaItems(lambdas: Changes['lambdas']): string[] {
  const runs: { first: number; last: number; value: number }[] = [];
  for (const [key, value] of Object.entries(lambdas)) {
    const layer = Number(key);
    const run = runs.at(-1);
    if (run && run.last === layer - 1 && run.value === value) run.last = layer;
    else runs.push({ first: layer, last: layer, value });
  }
  return runs.map(({ first, last, value }) => `${first === last ? first : `${first}-${last}`}=${value}`);
}

const LAMBDA = /^(\d{1,4})(?:-(\d{1,4}))?=(\d+(?:\.\d+)?(?:e-?\d+)?)$/;

function readChanges(items: readonly string[]): Changes | null {
  const lambdas: Record<number, number> = {};
  const off: string[] = [];
  for (const item of items) {
    const found = LAMBDA.exec(item);
    if (found) {
      const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
      for (let layer = first; layer <= last; layer++) lambdas[layer] = Number(found[3]);
    } else if (partNamed(item)) off.push(item);
    else return null;
  }
  return { lambdas, off };
}

type ChangesByModel = CausalSettings['changes'];

function writeChanges(changes: ChangesByModel): string {
  return Object.entries(changes)
    .filter(([, own]) => isChanged(own))
    .map(([model, { lambdas, off }]) => `${encodeURIComponent(model)}:${[...lambdaItems(lambdas), ...off].join()}`)
    .join(';');
}

/** Changes by model, such as `demo:0-3=0.5,2.mixer_1`; models are separated by semicolons. */
const parseAsChanges = createParser<ChangesByModel>({
  parse: (text) => {
    const models: Record<string, Changes> = {};
    for (const one of text.split(';')) {
      const at = one.indexOf(':');
      const own = readChanges(one.slice(at + 1).split(','));
      if (at < 1 || !own) return null;
      try {
        models[decodeURIComponent(one.slice(0, at))] = own;
      } catch {
        return null;
      }
    }
    return models;
  },
  serialize: writeChanges,
});

const field = fieldsOf(useCausal.getInitialState());

/** What a link says of the causal tests. */
export const CAUSAL: LinkedSettings<CausalSettings> = {
  test: field('test', parseAsStringLiteral(['patch', 'knockout', 'ablate', 'intervene'])),
  corrupted: field('corrupted', parseAsString),
  foil: field('foil', parseAsString),
  point: field('point', parseAsStringLiteral(PATCH_POINTS)),
  way: field('direction', parseAsStringLiteral(PATCH_DIRECTIONS)),
  by: field('measure', parseAsStringLiteral(PATCH_METRICS)),
  how: field('how', parseAsStringLiteral(['estimate', 'exact'])),
  rows: field('rows', parseAsStringLiteral(['sentences', 'tokens', 'classes'])),
  window: setting(
    parseAsInteger,
    ({ window }) => (window > 1 ? window : null),
    (window) => (window > 1 ? { window } : undefined),
  ),
  mixer: setting(
    parseAsStringLiteral(MIXERS),
    ({ branch }) => branch || null,
    (branch) => ({ branch }),
  ),
  queries: field('queries', parseAsStringLiteral(['later', 'answer'])),
  reads: field('reads', parseAsStringLiteral(['scan', 'block'])),
  norms: field('norms', parseAsStringLiteral(['rescale', 'frozen'])),
  cut: setting(
    parseAsPair,
    ({ span }) => span,
    (span) => (span[0] <= span[1] ? { span } : undefined),
  ),
  cell: setting(
    parseAsPair,
    ({ pin }) => pin && ([pin.layer, pin.position] as const),
    ([layer, position]) => ({ pin: { layer, position } }),
  ),
  off: field('method', parseAsStringLiteral(['zero', 'mean', 'self'])),
  set: setting(
    parseAsChanges,
    ({ changes }) => (Object.values(changes).some(isChanged) ? changes : null),
    (changes) => ({ changes }),
  ),
};

linkStore('causal', useCausal, CAUSAL);
