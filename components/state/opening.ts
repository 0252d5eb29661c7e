'use client';
import { useEffect } from 'react';
import type { Signal } from '@/lib/api/readings';
import { certainFrom, isSeenLinearly } from '../data/series';
import type { View } from '../data/view';
import { isEnded, useRun } from './run';
import { INITIAL_SELECTION, select, useSelection } from './selection';

/** From so many tokens on a linear scale shows little more than the diagonal. */
export const LONG = 128;

/** What a page opens on is chosen once: from then on it is as the researcher, or the link, left it. */
const opened = { values: false, metric: false };

/**
 * What the first run of a page that was not opened by a link of a run is shown by, where nothing else was chosen: maps of hundreds
 * of tokens on the logarithmic scale; the margin where the target's probability says nothing (it is as good as 1 in most
 * layers), and else a linear axis of it where that shows every block. The link says all of it.
 */
export function useOpening(view: View, signals: readonly (Signal | undefined)[]): void {
  const startedHere = useRun((s) => s.startedHere);
  const { layers, tokens, run } = view;
  const ended = isEnded(run);
  useEffect(() => {
    if (!startedHere) return;
    const { values, metric, batchId, logAxis } = useSelection.getState();
    if (!opened.values) {
      opened.values = true;
      if (tokens.length >= LONG && values === INITIAL_SELECTION.values) select({ values: 'log' });
    }
    if (opened.metric || !ended || signals.some((signal) => signal === undefined)) return;
    opened.metric = true;
    if (metric !== INITIAL_SELECTION.metric || batchId) return;
    if (certainFrom(signals, layers) !== undefined) select({ metric: 'margin', paper: false });
    else if (logAxis === INITIAL_SELECTION.logAxis && isSeenLinearly(signals)) select({ logAxis: false });
  }, [startedHere, ended, tokens, signals, layers]);
}
