'use client';
import { useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { ApiError } from '@/lib/api/client';
import type { RunEstimate } from '@/lib/api/runs';
import { formatBytes } from '@/lib/figures/numbers';
import { formatForecast } from '@/lib/vocabulary';
import { requestOf } from '../state/request';
import { isEnded, useRun } from '../state/run';
import { INITIAL_SELECTION, useSelection } from '../state/selection';
import { useEstimate } from './queries';

/** What a device packs below this is not worth a word. */
const WORTH_SAYING = 100 * 2 ** 20;

/** `needs 1.9 GB (3.1 GB when repeated), ~2 s`; weights count until they are loaded. */
export function needs({ activationBytes, weightBytes, packedBytes, seconds }: RunEstimate): string {
  const bytes = activationBytes + weightBytes;
  const repeated = packedBytes >= WORTH_SAYING ? ` (${formatBytes(bytes + packedBytes)} when repeated)` : '';
  const time = seconds === null ? '' : `, ${formatForecast(seconds)}`;
  return `needs ${formatBytes(bytes)}${repeated}${time}`;
}

/** What the next run would take, or why the server would refuse it. Nothing while a run is under way. */
export function useForecast(): { text: string; refusal: ApiError | null } {
  const busy = useRun(({ run, starting }) => starting || (run !== null && !isEnded(run)));
  const asked = useSelection(
    useShallow(({ modelA, modelB, prompt, target, candidates }) => ({ modelA, modelB, prompt, target, candidates })),
  );
  const request = useMemo(() => {
    const whole = requestOf({ ...INITIAL_SELECTION, ...asked });
    return busy || typeof whole === 'string' ? null : whole;
  }, [asked, busy]);
  const { data, error } = useEstimate(request);
  const refused = error instanceof ApiError && (error.status === 413 || error.status === 422);
  return { text: data ? needs(data) : '', refusal: refused ? error : null };
}
