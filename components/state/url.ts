'use client';
import {
  createParser,
  parseAsArrayOf,
  parseAsBoolean,
  parseAsFloat,
  parseAsInteger,
  parseAsString,
  parseAsStringLiteral,
} from 'nuqs';
import { useEffect, useRef } from 'react';
import { BLOCK_COMPONENTS, DIFFERENCE_TERMS } from '@/lib/vocabulary';
import { METRICS, type Metric } from '../charts/curve';
import { followBatch } from './batch';
import { FORMS, SPANS } from './forms';
import {
  fieldsOf,
  type LinkedSettings,
  linkStore,
  onLinkedChange,
  openLink,
  sayAll,
  setting,
  writtenTo,
} from './linked';
import { parseAsContinuation, parseAsPair, parseAsSpans, parseAsWindow } from './parsers';
import { openRun } from './run';
import { INITIAL_SELECTION, type LensRows, PARALLEL_MIXERS, type Selection, select, useSelection } from './selection';
import { URL_QUIET_MS } from './shortcuts';

const parseAsRows = createParser<LensRows>({
  parse: (text) => (/^(last|needle|position|page-\d{1,5})$/.test(text) ? (text as LensRows) : null),
  serialize: String,
});

/** No B at all, in the URL; an absent `b` means "the page chooses". */
const NONE = 'none';

const field = fieldsOf(INITIAL_SELECTION);

/** Links of the version before say `log_odds` for what is called margin now. */
const parseAsMetric = createParser({
  parse: (text) => parseAsStringLiteral(METRICS).parse(text === 'log_odds' ? 'margin' : text),
  serialize: (metric: Metric) => metric,
});

/** What a link says of the selection. */
export const SELECTION: LinkedSettings<Selection> = {
  a: field('modelA', parseAsString),
  b: setting(
    parseAsString,
    ({ modelA, modelB }) => (modelA ? modelB || NONE : null),
    (b) => ({ modelB: b === NONE ? '' : b }),
  ),
  run: field('runId', parseAsString),
  example: field('exampleId', parseAsString),
  prompt: setting(
    parseAsString,
    ({ exampleId, prompt }) => (exampleId ? null : prompt || null),
    (prompt) => ({ prompt }),
  ),
  continuation: field('continuation', parseAsContinuation),
  target: field('target', parseAsString),
  'target-id': field('targetId', parseAsInteger),
  also: setting(
    parseAsArrayOf(parseAsString),
    ({ also }) => (also.length > 0 ? [...also] : null),
    (also) => ({ also }),
  ),
  needle: field('needle', parseAsPair),
  competing: setting(
    parseAsSpans,
    ({ exampleId, competing }) => (exampleId || competing.length > 0 ? competing : null),
    (competing) => ({ competing }),
  ),
  question: setting(
    parseAsSpans,
    ({ exampleId, question }) => (exampleId || question.length > 0 ? question : null),
    (question) => ({ question }),
  ),
  position: field('position', parseAsInteger),
  layer: field('layer', parseAsInteger),
  branch: field('branch', parseAsStringLiteral(DIFFERENCE_TERMS)),
  form: field('form', parseAsStringLiteral(FORMS)),
  mixer: field('mixer', parseAsStringLiteral(PARALLEL_MIXERS)),
  layers: field('span', parseAsStringLiteral(SPANS)),
  without: setting(
    parseAsArrayOf(parseAsStringLiteral(BLOCK_COMPONENTS)),
    ({ without }) => (without.length > 0 ? [...without] : null),
    (without) => ({ without }),
  ),
  reduce: field('reduction', parseAsStringLiteral(['mean', 'mean_abs', 'max', 'one'])),
  part: setting(
    parseAsPair,
    ({ reduction, part }) => (reduction === 'one' ? ([part.A, part.B] as const) : null),
    ([A, B]) => ({ part: { A, B } }),
  ),
  values: field('values', parseAsStringLiteral(['linear', 'log', 'row'])),
  shared: field('sharedScale', parseAsBoolean),
  clip: setting(
    parseAsFloat,
    ({ clip }) => (clip === INITIAL_SELECTION.clip ? null : clip),
    (clip) => (clip > 0 && clip <= 1 ? { clip } : undefined),
  ),
  limit: setting(
    parseAsFloat,
    ({ limit }) => limit,
    (limit) => (limit > 0 ? { limit } : undefined),
  ),
  diff: field('difference', parseAsBoolean),
  branches: field('allBranches', parseAsBoolean),
  marginals: field('marginals', parseAsBoolean),
  window: field('window', parseAsWindow),
  metric: field('metric', parseAsMetric),
  log: field('logAxis', parseAsBoolean),
  paper: field('paper', parseAsBoolean),
  batch: field('batchId', parseAsString),
  through: field('lens', parseAsStringLiteral(['logit', 'tuned'])),
  tracks: field('tracks', parseAsBoolean),
  lens: field('lensColour', parseAsStringLiteral(['top', 'target', 'rank', 'entropy', 'kl'])),
  rows: field('lensRows', parseAsRows),
  lock: setting(
    parseAsPair,
    ({ lock }) => lock && ([lock.destination, lock.source] as const),
    ([destination, source]) => ({ lock: { destination, source } }),
  ),
};

linkStore('selection', useSelection, SELECTION, select);

/** An address that says this selection and how the sections are set; whatever else it says stays. */
export const linkTo = (address: string, selection: Selection): string =>
  writtenTo(address, sayAll(SELECTION, selection));

/**
 * Reads the link once, opens its run, and from then on writes all that links carry to the URL whenever it has rested.
 * Plain reading and writing: hooks on the query would do their work with every key and every step of the wheel.
 */
export function LinkedSelection(): null {
  const opened = useRef(false);
  useEffect(() => {
    if (!opened.current) {
      opened.current = true;
      openLink(location.search);
      const { runId, batchId } = useSelection.getState();
      if (runId) openRun(runId);
      if (batchId) followBatch(batchId);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const rested = () => {
      const link = writtenTo(location.href);
      if (link !== location.href) history.replaceState(history.state, '', link);
    };
    const stop = onLinkedChange(() => {
      clearTimeout(timer);
      timer = setTimeout(rested, URL_QUIET_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, []);
  return null;
}
