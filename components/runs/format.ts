import type { RunSummary } from '@/lib/api/schemas';
import { formatSeconds } from '../charts/numbers';

/** `done in 1.84 s`, `cancelled`, … */
export function stateOf({ state, timing }: RunSummary): string {
  if (state === 'error') return 'stopped by an error';
  if (state !== 'done' || timing.startedAt === null || timing.finishedAt === null) return state;
  return `done in ${formatSeconds((timing.finishedAt - timing.startedAt) / 1000)}`;
}

export function formatTime(instant: number): string {
  const date = new Date(instant);
  const pad = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}
