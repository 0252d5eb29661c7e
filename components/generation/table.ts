import { type DataTable, tableOf } from '../charts/table';
import { displayToken } from '../charts/tokens';
import type { Continuation } from './state';

/** Every generated token with its probability, rank and entropy. */
export function generationTable(continuations: readonly Continuation[]): DataTable {
  const all = continuations.flatMap(({ slot, tokens }) => tokens.map((token) => ({ slot, token })));
  return tableOf(
    'Generated tokens: probability, rank (1 is the top) and entropy in nats of the model’s own distribution',
    [
      { name: 'model', values: all.map(({ slot }) => slot) },
      { name: 'place', values: all.map(({ token }) => String(token.index)) },
      { name: 'token', values: all.map(({ token }) => displayToken(token.text)) },
    ],
    (['probability', 'rank', 'entropy'] as const).map((name) => ({
      name,
      values: all.map(({ token }) => token[name]),
    })),
  );
}
