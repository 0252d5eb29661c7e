type Json = Record<string, unknown>;

const each = (list: unknown, change: (value: Json) => Json): Json[] => (list as Json[]).map(change);

/** Where values of an ablation came from when a reference was not aligned: the prompt itself, or what is no longer known. */
function referenceOf({ method, reference, removed }: Json): Json | null {
  const taken = (method === 'mean' || method === 'resample') && (removed as Json[] | undefined)?.length !== 0;
  return taken && reference === undefined ? { source: 'self', prompts: 1, left_out: 0 } : null;
}

const unmeasured = (value: Json): Json => ({ frozen_norms: null, ...value });

type Changes = Readonly<Record<string, (result: Json, request: Json) => Json>>;

const NORMS: Changes = {
  knockout: unmeasured,
  ablate: (result, request) => ({ reference: referenceOf(request), ...result, runs: each(result.runs, unmeasured) }),
  lambda: (result) => ({ ...result, runs: each(result.runs, unmeasured) }),
  intervene: (result, request) => ({
    reference: referenceOf(request),
    ...unmeasured(result),
    layers: each(result.layers, unmeasured),
  }),
};

/** The token that is read was knocked out of the reads of later ones, of which there are none. */
function untested(result: Json, { queries = 'later' }: Json): Json {
  const [spans, position] = [result.spans as (readonly [number, number])[], result.position as number];
  const tested = spans.map(([start, end]) => {
    if (queries === 'later') return end <= position;
    return queries === 'answer' || (queries as readonly [number, number])[1] > start;
  });
  const grids = ({ without, change }: Json) => {
    const nulled = (rows: unknown) =>
      (rows as unknown[][]).map((row) => row.map((value, k) => (tested[k] ? value : null)));
    return { without: nulled(without), change: nulled(change) };
  };
  const frozen = result.frozen_norms as Json | null;
  return { ...result, ...grids(result), tested, frozen_norms: frozen && grids(frozen) };
}

const DIRECTIONS: Changes = {
  knockout: untested,
  patch: (result) => {
    const { metric, clean, corrupted, patched } = result;
    return {
      direction: 'denoise',
      cautions: [],
      metrics: { [String(metric)]: { clean, corrupted, patched } },
      ...result,
    };
  },
};

const changed =
  (changes: Changes) =>
  (analysis: Json): Json => {
    const [result, request] = [analysis.result as Json | null, analysis.request as Json];
    const change = changes[String(result?.kind)];
    return result && change ? { ...analysis, result: change(result, request) } : analysis;
  };

/** An analysis from before causal tests said their reference and measured with frozen norms: what it lacks is null. */
export const withoutNorms = changed(NORMS);

/** From when patching had one direction, one measure and no cautions, and a knock-out of what nobody reads was a change of 0. */
export const withoutDirections = changed(DIRECTIONS);

/** An analysis from when a margin was called `log_odds`, and nothing else was known of it; batches had no notes. */
export function withMargins(analysis: Json): Json {
  const result = analysis.result as Json | null;
  if (result?.kind === 'snr') return { ...analysis, result: { notes: [], ...(renamed(result) as Json) } };
  return { ...analysis, result: renamed(result) };
}

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      if (key === 'log_odds')
        return [
          ['target_log_odds', null],
          ['margin', inner],
          ['margin_std', null],
        ];
      return [[key, key === 'metric' && inner === 'log_odds' ? 'margin' : renamed(inner)]];
    }),
  );
}
