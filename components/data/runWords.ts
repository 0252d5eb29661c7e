import type { Health, RunSummary } from '@/lib/api/schemas';
import { formatDuration } from '@/lib/vocabulary';

/** `done in 1.84 s`, `cancelled`, … */
export function stateOf({ state, timing }: RunSummary): string {
  if (state === 'error') return 'stopped by an error';
  if (state !== 'done' || timing.startedAt === null || timing.finishedAt === null) return state;
  return `done in ${formatDuration((timing.finishedAt - timing.startedAt) / 1000)}`;
}

export function formatTime(instant: number): string {
  const date = new Date(instant);
  const pad = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** What keeps runs from being kept, and how many wait for it; undefined where nothing does. */
export function troubleOf({ message, waiting }: Health['archive']): string | undefined {
  if (!message || waiting === 0) return message;
  return `${message} ${waiting} ${waiting === 1 ? 'run or analysis waits' : 'runs and analyses wait'} to be kept.`;
}
