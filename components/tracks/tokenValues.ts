import type { Tracks } from '@/lib/api/bodies';
import type { TokenTrack } from '@/lib/vocabulary';
import { type DataTable, tableOf } from '../charts/table';
import { displayToken } from '../charts/tokens';
import { type ModelView, ownToken, type View } from '../data/view';
import { TRACKS } from './trackRows';

/** A track of one model by the tokens of model A; NaN where a token has no counterpart. Undefined before it is there. */
export type TokenValues = (track: TokenTrack) => Float32Array | undefined;

/** The scans that a layer's tracks may be taken from: both mixers where any model has two. */
export const scansOf = (tracks: readonly (Tracks | undefined)[]): string[] =>
  tracks.map((one) => one?.metadata.branches ?? []).reduce((most, own) => (own.length > most.length ? own : most), []);

/** @param scan where a model has it, else its first */
export function tokenValues(tracks: Tracks | undefined, model: ModelView, ofA: number, scan: string): TokenValues {
  if (!tracks) return () => undefined;
  const { branches } = tracks.metadata;
  const own = branches.includes(scan) ? scan : branches[0];
  return (track) => {
    const values = tracks.values.get(`${own}.${track}`);
    return values && Float32Array.from({ length: ofA }, (_, k) => values[ownToken(model, k) ?? -1] ?? Number.NaN);
  };
}

/** All tracks by token, one column a model. */
export function trackTable(view: View, values: readonly TokenValues[], unit: string): DataTable {
  return tableOf(
    `Tracks of layer ${view.layer}, ${unit}`,
    [
      { name: 'position', values: view.tokens.map((_, k) => String(k)) },
      { name: 'token', values: view.tokens.map(({ text }) => displayToken(text)) },
    ],
    TRACKS.flatMap(({ name, label, unit: of }) =>
      view.models.map(({ slot }, k) => ({
        name: `${label}${of ? `, ${of}` : ''} ${slot}`,
        values: [...(values[k](name) ?? [])],
      })),
    ),
  );
}
