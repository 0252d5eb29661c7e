'use client';
import {
  createLoader,
  createParser,
  createSerializer,
  parseAsArrayOf,
  parseAsBoolean,
  parseAsFloat,
  parseAsInteger,
  parseAsString,
  parseAsStringLiteral,
} from 'nuqs';
import { useEffect, useRef } from 'react';
import type { Continuation } from '@/lib/api/schemas';
import { BLOCK_COMPONENTS } from '@/lib/vocabulary';
import {
  CANCELLATION_PARSERS,
  cancellationFromQuery,
  cancellationToQuery,
  setCancellation,
  useCancellation,
} from '../cancellation/settings';
import { setCausal, useCausal } from '../causal/settings';
import { CAUSAL_PARSERS, causalFromQuery, causalToQuery } from '../causal/url';
import { METRICS } from '../charts/curve';
import type { MapWindow } from '../charts/window';
import { followBatch } from './batch';
import { FORMS, SPANS } from './forms';
import { parseAsPair } from './parsers';
import { openRun } from './run';
import { INITIAL_SELECTION, type LensRows, type Selection, select, useSelection } from './selection';
import { URL_QUIET_MS } from './shortcuts';

/** Rows and columns of a window: four whole numbers, such as `40-60-0-20`. */
const parseAsWindow = createParser<MapWindow>({
  parse: (text) => {
    const match = /^(\d{1,7})-(\d{1,7})-(\d{1,7})-(\d{1,7})$/.exec(text);
    if (!match) return null;
    const [a, b, c, d] = match.slice(1).map(Number);
    return a < b && c < d ? { rows: [a, b], columns: [c, d] } : null;
  },
  serialize: ({ rows, columns }) => [...rows, ...columns].join('-'),
  eq: (a, b) => [...a.rows, ...a.columns].join() === [...b.rows, ...b.columns].join(),
});

/** Where generated tokens begin, and their ids: whole numbers joined by dashes. */
export const parseAsContinuation = createParser<Continuation>({
  parse: (text) => {
    if (!/^\d{1,7}(-\d{1,7})*$/.test(text)) return null;
    const [start, ...ids] = text.split('-').map(Number);
    return { start, ids };
  },
  serialize: ({ start, ids }) => [start, ...ids].join('-'),
  eq: (a, b) => [a.start, ...a.ids].join() === [b.start, ...b.ids].join(),
});

const parseAsRows = createParser<LensRows>({
  parse: (text) => (/^(last|needle|position|page-\d{1,5})$/.test(text) ? (text as LensRows) : null),
  serialize: String,
});

const PARSERS = {
  a: parseAsString,
  b: parseAsString,
  run: parseAsString,
  example: parseAsString,
  prompt: parseAsString,
  continuation: parseAsContinuation,
  target: parseAsString,
  'target-id': parseAsInteger,
  needle: parseAsPair,
  position: parseAsInteger,
  layer: parseAsInteger,
  branch: parseAsStringLiteral(['mixer_1', 'lambda_mixer_2', 'diff']),
  form: parseAsStringLiteral(FORMS),
  layers: parseAsStringLiteral(SPANS),
  without: parseAsArrayOf(parseAsStringLiteral(BLOCK_COMPONENTS)),
  reduce: parseAsStringLiteral(['mean', 'mean_abs', 'max', 'one']),
  part: parseAsPair,
  values: parseAsStringLiteral(['linear', 'log', 'row']),
  shared: parseAsBoolean,
  clip: parseAsFloat,
  limit: parseAsFloat,
  diff: parseAsBoolean,
  branches: parseAsBoolean,
  marginals: parseAsBoolean,
  window: parseAsWindow,
  metric: parseAsStringLiteral(METRICS),
  log: parseAsBoolean,
  paper: parseAsBoolean,
  batch: parseAsString,
  through: parseAsStringLiteral(['logit', 'tuned']),
  tracks: parseAsBoolean,
  lens: parseAsStringLiteral(['top', 'target', 'rank', 'entropy', 'kl']),
  rows: parseAsRows,
  lock: parseAsPair,
};

/** No B at all, in the URL; an absent `b` means "the page chooses". */
const NONE = 'none';

type Query = { [K in keyof typeof PARSERS]: ReturnType<(typeof PARSERS)[K]['parse']> };

/** The selection as query parameters; what has its first value is left out. */
export function toQuery(s: Selection): Partial<Query> {
  const unless = <T>(value: T, first: T) => (value === first ? null : value);
  const first = INITIAL_SELECTION;
  return {
    a: s.modelA || null,
    b: s.modelA ? s.modelB || NONE : null,
    run: s.runId || null,
    example: s.exampleId || null,
    prompt: s.exampleId ? null : s.prompt || null,
    continuation: s.continuation,
    target: s.target || null,
    'target-id': s.targetId,
    needle: s.needle ? [s.needle[0], s.needle[1]] : null,
    position: unless(s.position, first.position),
    layer: unless(s.layer, first.layer),
    branch: unless(s.branch, first.branch),
    form: unless(s.form, first.form),
    layers: unless(s.span, first.span),
    without: s.without.length > 0 ? [...s.without] : null,
    reduce: unless(s.reduction, first.reduction),
    part: s.reduction === 'one' ? [s.part.A, s.part.B] : null,
    values: unless(s.values, first.values),
    shared: unless(s.sharedScale, first.sharedScale),
    clip: unless(s.clip, first.clip),
    limit: s.limit,
    diff: unless(s.difference, first.difference),
    branches: unless(s.allBranches, first.allBranches),
    marginals: unless(s.marginals, first.marginals),
    window: s.window,
    metric: unless(s.metric, first.metric),
    log: unless(s.logAxis, first.logAxis),
    paper: unless(s.paper, first.paper),
    batch: s.batchId || null,
    through: unless(s.lens, first.lens),
    tracks: unless(s.tracks, first.tracks),
    lens: unless(s.lensColour, first.lensColour),
    rows: unless(s.lensRows, first.lensRows),
    lock: s.lock ? [s.lock.destination, s.lock.source] : null,
  };
}

/** What a link says about the selection; parameters that are absent say nothing. */
export function fromQuery(q: Partial<Query>): Partial<Selection> {
  const entries: [keyof Selection, unknown][] = [
    ['modelA', q.a],
    ['modelB', q.b === NONE ? '' : q.b],
    ['runId', q.run],
    ['exampleId', q.example],
    ['prompt', q.prompt],
    ['continuation', q.continuation],
    ['target', q.target],
    ['targetId', q['target-id']],
    ['needle', q.needle],
    ['position', q.position],
    ['layer', q.layer],
    ['branch', q.branch],
    ['form', q.form],
    ['span', q.layers],
    ['without', q.without],
    ['reduction', q.reduce],
    ['part', q.part && { A: q.part[0], B: q.part[1] }],
    ['values', q.values],
    ['sharedScale', q.shared],
    ['clip', q.clip !== null && q.clip !== undefined && q.clip > 0 && q.clip <= 1 ? q.clip : null],
    ['limit', q.limit !== null && q.limit !== undefined && q.limit > 0 ? q.limit : null],
    ['difference', q.diff],
    ['allBranches', q.branches],
    ['marginals', q.marginals],
    ['window', q.window],
    ['metric', q.metric],
    ['logAxis', q.log],
    ['paper', q.paper],
    ['batchId', q.batch],
    ['lens', q.through],
    ['tracks', q.tracks],
    ['lensColour', q.lens],
    ['lensRows', q.rows],
    ['lock', q.lock && { destination: q.lock[0], source: q.lock[1] }],
  ];
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

const ALL_PARSERS = { ...PARSERS, ...CAUSAL_PARSERS, ...CANCELLATION_PARSERS };
const read = createLoader(ALL_PARSERS);
const write = createSerializer(ALL_PARSERS);

/** An address that says the selection and how the tests are set; whatever else it says stays. */
export const linkTo = (address: string, selection: Selection): string =>
  write(address, {
    ...toQuery(selection),
    ...causalToQuery(useCausal.getState()),
    ...cancellationToQuery(useCancellation.getState()),
  });

/**
 * Reads the link once, opens its run, and from then on writes selection and tests to the URL whenever they have rested. Plain
 * reading and writing: hooks on the query would do their work with every key and every step of the wheel.
 */
export function LinkedSelection(): null {
  const opened = useRef(false);
  useEffect(() => {
    if (!opened.current) {
      opened.current = true;
      const query = read(location.search);
      const linked = fromQuery(query);
      select(linked);
      setCausal(causalFromQuery(query));
      setCancellation(cancellationFromQuery(query));
      if (linked.runId) openRun(linked.runId);
      if (linked.batchId) followBatch(linked.batchId);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rested = () => {
      const link = linkTo(location.href, useSelection.getState());
      if (link !== location.href) history.replaceState(history.state, '', link);
    };
    const changed = () => {
      clearTimeout(timer);
      timer = setTimeout(rested, URL_QUIET_MS);
    };
    const stops = [useSelection, useCausal, useCancellation].map((store) => store.subscribe(changed));
    return () => {
      clearTimeout(timer);
      for (const stop of stops) stop();
    };
  }, []);
  return null;
}
