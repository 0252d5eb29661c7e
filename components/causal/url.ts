import { createParser, parseAsString, parseAsStringLiteral } from 'nuqs';
import { partNamed } from '@/lib/api/parts';
import { parseAsPair } from '../state/parsers';
import { type CausalSettings, type Changes, isChanged, POINTS, useCausal } from './settings';

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
  eq: (a, b) => writeChanges(a) === writeChanges(b),
});

export const CAUSAL_PARSERS = {
  test: parseAsStringLiteral(['patch', 'knockout', 'intervene']),
  corrupted: parseAsString,
  foil: parseAsString,
  point: parseAsStringLiteral(POINTS.map(({ value }) => value)),
  mixer: parseAsStringLiteral(['mixer_1', 'mixer_2']),
  queries: parseAsStringLiteral(['later', 'answer']),
  reads: parseAsStringLiteral(['scan', 'block']),
  cut: parseAsPair,
  cell: parseAsPair,
  off: parseAsStringLiteral(['zero', 'mean']),
  set: parseAsChanges,
};

type Query = { [K in keyof typeof CAUSAL_PARSERS]: ReturnType<(typeof CAUSAL_PARSERS)[K]['parse']> };

/** The settings of the causal tests as query parameters; what has its first value is left out. */
export function causalToQuery(s: CausalSettings): Query {
  const first = useCausal.getInitialState();
  const unless = <K extends keyof CausalSettings>(key: K) => (s[key] === first[key] ? null : s[key]);
  return {
    test: unless('test'),
    corrupted: s.corrupted,
    foil: s.foil,
    point: unless('point'),
    mixer: s.branch || null,
    queries: unless('queries'),
    reads: unless('reads'),
    cut: s.span && [...s.span],
    cell: s.pin && [s.pin.layer, s.pin.position],
    off: unless('method'),
    set: Object.values(s.changes).some(isChanged) ? s.changes : null,
  };
}

/** What a link says about the causal tests; parameters that are absent say nothing. */
export function causalFromQuery(q: Partial<Query>): Partial<CausalSettings> {
  return {
    ...(q.test && { test: q.test }),
    ...(typeof q.corrupted === 'string' && { corrupted: q.corrupted }),
    ...(typeof q.foil === 'string' && { foil: q.foil }),
    ...(q.point && { point: q.point }),
    ...(q.mixer && { branch: q.mixer }),
    ...(q.queries && { queries: q.queries }),
    ...(q.reads && { reads: q.reads }),
    ...(q.cut && q.cut[0] <= q.cut[1] && { span: q.cut }),
    ...(q.cell && { pin: { layer: q.cell[0], position: q.cell[1] } }),
    ...(q.off && { method: q.off }),
    ...(q.set && { changes: q.set }),
  };
}
