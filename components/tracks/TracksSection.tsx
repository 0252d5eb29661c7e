'use client';
import { memo, useMemo, useState } from 'react';
import { formatPlain } from '@/lib/figures/numbers';
import { type Branch, MIXERS } from '@/lib/vocabulary';
import { refusedTracks, useTracks } from '../data/queries';
import { BRANCH_NAMES, type View } from '../data/view';
import { useHover } from '../state/hover';
import { useSelection } from '../state/selection';
import { useNarrow, useWidth } from '../ui/measure';
import { SlotHead, TokenText, ValueRow } from '../ui/parts';
import { Section } from '../ui/Section';
import { Segmented } from '../ui/Segmented';
import { useSteady } from '../ui/steady';
import { TrackFigure } from './TrackFigure';
import { scansOf, type TokenValues, tokenValues, trackTable } from './tokenValues';
import { TRACKS } from './trackRows';

/** Exact values of the token under the pointer, else of the read-out. */
function TracksAside({ view, values }: { view: View; values: readonly TokenValues[] }) {
  const destination = useHover((s) => s.destination);
  const token = destination ?? view.position;
  return (
    <aside aria-label="Tracks at a token">
      <div className="block">
        <h3 className="cell-pair">
          {token} <TokenText text={view.tokens[token]?.text ?? ''} />
        </h3>
        <table className="values">
          <SlotHead slots={view.models.map(({ slot }) => slot)} />
          <tbody>
            {TRACKS.map(({ name, label, unit }) => (
              <ValueRow
                key={name}
                name={unit ? `${label}, ${unit}` : label}
                values={values.map((of) => formatPlain(of(name)?.[token]))}
              />
            ))}
          </tbody>
        </table>
        <p className="note" style={{ marginTop: 8 }}>
          Δ: how far the token moves the state. Half-life: tokens until the slowest state has halved, were Δ to stay.
          Gate: SiLU(z). ‖h‖: norm of the state after the token. Over all heads or channels: means, of half-life the
          geometric one, of ‖h‖ the root mean square.
        </p>
      </div>
    </aside>
  );
}

/** What every token does in the selected layer, along the sequence. */
export const TracksSection = memo(function TracksSection({ view, staleMark }: { view: View; staleMark: string }) {
  const asked = useTracks(view);
  const tracks = useSteady(asked.map(({ data }) => data));
  const reduction = useSelection((s) => s.reduction);
  const part = useSelection((s) => s.part);
  const problem =
    view.models
      .map((model) => refusedTracks(model, view.layer, reduction === 'one' ? part[model.slot] : undefined))
      .find((refused) => refused !== undefined) ?? asked.find(({ error }) => error)?.error?.message;
  const [chosen, setChosen] = useState<string>(MIXERS[0]);
  const scans = scansOf(tracks);
  const scan = scans.includes(chosen) ? chosen : MIXERS[0];
  const values = useMemo(
    () => tracks.map((one, k) => tokenValues(one, view.models[k], view.tokens.length, scan)),
    [tracks, view.models, view.tokens.length, scan],
  );
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const units = tracks
    .map((one, k) =>
      one
        ? reduction === 'one'
          ? `${one.metadata.units} ${part[view.models[k].slot]}`
          : `all ${one.metadata.units}s`
        : '',
    )
    .filter((text, k, all) => text !== '' && all.indexOf(text) === k)
    .join(', ');
  return (
    <Section
      id="tracks"
      title={
        <>
          Tracks, layer {view.layer}{' '}
          <em>
            {units} {staleMark}
          </em>
        </>
      }
      controls={
        scans.length > 1 && (
          <Segmented
            label="Scan of a differential block"
            options={scans.map((value) => ({
              value,
              label: BRANCH_NAMES[value as Branch] ?? value,
              testId: `tracks-${value}`,
            }))}
            value={scan}
            onChange={setChosen}
          />
        )
      }
      table={() => trackTable(view, values, units)}
      canMaximise
      aside={<TracksAside view={view} values={values} />}
    >
      <div ref={ref} style={{ minHeight: 238 }}>
        {problem ? (
          <p className="note bad" role="alert">
            {problem}
          </p>
        ) : (
          width > 0 &&
          (tracks.some(Boolean) ? (
            <TrackFigure view={view} values={values} width={width} narrow={narrow} />
          ) : (
            <p className="note" role="status">
              {asked.some(({ isFetching }) => isFetching)
                ? `The tracks of layer ${view.layer} are being read.`
                : `Layer ${view.layer} has no tracks yet.`}
            </p>
          ))
        )}
      </div>
    </Section>
  );
});
