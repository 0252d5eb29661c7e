'use client';
import type { ReactNode } from 'react';
import { memo, useMemo, useState } from 'react';
import { formatPlain, formatSigned, formatValue } from '@/lib/figures/numbers';
import { DIFFERENCE_TERMS, type DifferenceTerm } from '@/lib/vocabulary';
import { alphaShare } from '../charts/alphaShare';
import { pairFacts, topSources } from '../charts/pair';
import { cut } from '../charts/tokens';
import { type DrawnMap, ERROR_LIMIT } from '../data/drawnMaps';
import { useShownMaps } from '../data/shownMaps';
import { BRANCH_NAMES, ownToken, type View } from '../data/view';
import { quantityOf } from '../state/forms';
import { useHover } from '../state/hover';
import { type ModelSlot, spanOf, useSelection } from '../state/selection';
import { SlotHead, Steady, TokenText, ValueRow } from '../ui/parts';
import { inspectedPair } from './inspected';

const REASONS = { pointer: 'pointer', locked: 'locked', needle: 'needle', strongest: 'read most' } as const;
const SOURCES = 6;
/** Room for a value, for a token, and for a position with its token. */
const VALUE_LETTERS = 9;
const TOKEN_LETTERS = 9;
const NAME_LETTERS = 11;

const steady = (content: ReactNode, letters = VALUE_LETTERS) => (
  <Steady key="value" letters={letters}>
    {content}
  </Steady>
);

const MapCheck = memo(function MapCheck(props: {
  slots: readonly ModelSlot[];
  maps: readonly (DrawnMap | undefined)[];
}) {
  const { slots, maps } = props;
  const errors = maps.map((map) => map?.source.map?.metadata.reconstruction_error);
  return (
    <div className="block">
      <h3>
        Map check <em>‖Mx − y‖ ÷ ‖y‖, limit 1e−3</em>
      </h3>
      <table className="values under-pointer">
        <SlotHead slots={slots} />
        <tbody>
          <ValueRow
            name="error"
            values={errors.map((error) => (
              <span
                key="error"
                data-machine
                className={error !== undefined && !(error <= ERROR_LIMIT) ? 'bad' : undefined}
              >
                <Steady letters={VALUE_LETTERS}>{formatPlain(error)}</Steady>
              </span>
            ))}
          />
        </tbody>
      </table>
      {errors.some((error) => error !== undefined && !(error <= ERROR_LIMIT)) && (
        <p className="note bad">The map does not reproduce what the layer computed: do not read small values.</p>
      )}
    </div>
  );
});

/** A row of contributions and the bias terms, which together are what the layer adds to the logit. */
const RowSum = memo(function RowSum(props: {
  slots: readonly ModelSlot[];
  maps: readonly (DrawnMap | undefined)[];
  destination: number;
}) {
  const { slots, maps, destination } = props;
  const sums = maps.map((map) => {
    const own = map && ownToken(map.source.model, destination);
    if (!map || own === undefined || own >= map.L) return undefined;
    const sources = map.raw.subarray(own * map.L, own * map.L + own + 1).reduce((sum, value) => sum + value, 0);
    const rest = map.source.map?.rest?.[own];
    return { sources, rest, all: sources + (rest ?? 0) };
  });
  const row = (name: string, values: readonly (number | undefined)[], kind?: 'sub' | 'rule') => (
    <ValueRow kind={kind} name={name} values={values.map((value) => steady(formatSigned(value)))} />
  );
  return (
    <div className="block">
      <h3 className="steady">Row {destination} adds up</h3>
      <table className="values under-pointer">
        <SlotHead slots={slots} />
        <tbody>
          {row(
            'sum over sources',
            sums.map((sum) => sum?.sources),
          )}
          {row(
            'bias terms',
            sums.map((sum) => sum?.rest),
            'sub',
          )}
          {row(
            'layer’s contribution',
            sums.map((sum) => sum?.all),
            'rule',
          )}
        </tbody>
      </table>
    </div>
  );
});

/** The needle's share of a row of α, which the literature calls attention SNR. */
function AlphaShare(props: {
  view: View;
  slots: readonly ModelSlot[];
  maps: readonly (DrawnMap | undefined)[];
  destination: number;
}) {
  const { view, slots, maps, destination } = props;
  const shares = maps.map((map) => {
    const own = map && ownToken(map.source.model, destination);
    const needle = map?.source.model.needle;
    if (!map || !needle || own === undefined || own >= map.L) return undefined;
    return alphaShare(map.raw, map.L, own, [needle[0], needle[1] + 1]);
  });
  // Whatever the row: what comes and goes under the pointer would move the page.
  if (!view.models.some(({ model }) => model.needle)) return null;
  return (
    <div className="block" data-testid="alpha-share">
      <h3>Attention SNR, Ali et al. α</h3>
      <table className="values under-pointer">
        <SlotHead slots={slots} />
        <tbody>
          <ValueRow
            name="needle’s share of |α|"
            values={shares.map((share) => steady(formatPlain(share), NAME_LETTERS))}
          />
        </tbody>
      </table>
      <p className="note">
        Leaves projections, convolution and gate out, and may have the wrong sign between two models: compare
        needle/context.
      </p>
    </div>
  );
}

/** What one model's map says of the pair, or undefined where it has no such tokens. */
function factsOf(map: DrawnMap | undefined, destination: number, source: number) {
  if (!map) return undefined;
  const { model, branches } = map.source;
  const [i, j] = [ownToken(model, destination), ownToken(model, source)];
  if (i === undefined || j === undefined || j > i || i >= map.L) return undefined;
  const term = (name: DifferenceTerm) => branches?.[name]?.data[i * map.L + j];
  return { ...pairFacts(map.raw, map.L, i, j), distance: i - j, of: i + 1, term, diff: branches !== undefined };
}

/** The strongest sources of a row by one model, and what every model reads from them. Another column changes a mark only. */
const RowSources = memo(function RowSources(props: {
  maps: readonly (DrawnMap | undefined)[];
  slots: readonly ModelSlot[];
  /** The map that ranks them. */
  leading: DrawnMap;
  /** Token of model A. */
  destination: number;
  /** The inspected source, a token of the leading model. */
  marked: number | undefined;
  onRank: (slot: ModelSlot) => void;
}) {
  const { maps, slots, leading, destination, marked, onRank } = props;
  const { model } = leading.source;
  const row = ownToken(model, destination);
  if (row === undefined || row >= leading.L) return null;
  return (
    <div className="block">
      <h3 className="steady ranked">
        Position {destination} reads most <em className="paper-only">{`by |${model.slot}|`}</em>
        <em data-export="omit">
          by{' '}
          {slots.map((slot) => (
            <button
              key={slot}
              type="button"
              className="link ranking"
              aria-label={`Rank by ${slot}`}
              aria-pressed={slot === model.slot}
              onClick={() => onRank(slot)}
            >
              |{slot}|
            </button>
          ))}
        </em>
      </h3>
      <table className="values under-pointer">
        <SlotHead slots={slots} />
        <tbody>
          {topSources(leading.raw, leading.L, row, SOURCES).map((own, rank) => (
            <ValueRow
              // biome-ignore lint/suspicious/noArrayIndexKey: rows are ranks; the same rows then take other words.
              key={rank}
              mono
              kind={own === marked ? 'strong' : undefined}
              name={
                <Steady letters={NAME_LETTERS}>
                  {String(own).padStart(2, '\u2007')} <TokenText text={cut(model.tokens[own].text, TOKEN_LETTERS)} />
                </Steady>
              }
              values={maps.map((map) => {
                if (!map) return '–';
                const ofA = model.toA ? model.toA[own] : own;
                const [i, j] = [
                  ownToken(map.source.model, destination),
                  map === leading ? own : ownToken(map.source.model, ofA),
                ];
                return steady(
                  i === undefined || j === undefined || i >= map.L
                    ? '–'
                    : formatValue(map.raw[i * map.L + j], leading.scale.signed),
                );
              })}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
});

/** Exact values of one source and destination. */
export const PairInspector = memo(function PairInspector({
  view,
  maps,
}: {
  view: View;
  maps: readonly (DrawnMap | undefined)[];
}) {
  const hover = useHover();
  const lock = useSelection((s) => s.lock);
  const [ranking, setRanking] = useState<ModelSlot>('A');
  const coming = useShownMaps().entries.some(({ ready, error }) => ready && !error);
  const form = useSelection((s) => s.form);
  const span = useSelection(spanOf);
  const { unit } = quantityOf(form, span);
  const slots = useMemo(() => view.models.map(({ slot }) => slot), [view.models]);
  const pair = inspectedPair(view, hover, lock, maps);
  const { destination, source } = pair;
  const facts = maps.map((map) => factsOf(map, destination, source));
  const [ofA, ofB] = facts;
  const difference = ofA && ofB ? ofB.value - ofA.value : undefined;
  const known = maps.find((map) => map !== undefined);
  if (!known)
    return (
      <aside aria-label="Inspector: one source and destination" data-testid="inspector">
        <div className="block">
          <h3>Source → destination</h3>
          <p className="note">
            {coming ? `The map of layer ${view.layer} is being made.` : `Layer ${view.layer} has no map yet.`}
          </p>
        </div>
      </aside>
    );
  const { signed } = known.scale;
  const value = (v: number | undefined) => formatValue(v, signed);
  const leading = maps.find((map) => map?.source.model.slot === ranking) ?? known;
  const row = (
    name: ReactNode,
    of: (f: NonNullable<(typeof facts)[number]>) => ReactNode,
    kind?: 'sub' | 'strong',
    letters?: number,
  ) => <ValueRow name={name} kind={kind} values={facts.map((f) => steady(f ? of(f) : '–', letters))} />;
  return (
    <aside aria-label="Inspector: one source and destination" data-testid="inspector">
      <div className="block">
        <h3 className="cell-pair steady">
          {source} <TokenText text={view.tokens[source]?.text ?? ''} /> → {destination}{' '}
          <TokenText text={view.tokens[destination]?.text ?? ''} /> <em>{REASONS[pair.reason]}</em>
        </h3>
        <table className="values under-pointer">
          <SlotHead caption={form === 's6' ? 'α, no unit' : unit} slots={slots} />
          <tbody>
            {row('value', (f) => value(f.value), 'strong')}
            {facts.some((f) => f?.diff) &&
              DIFFERENCE_TERMS.map((term) => (
                <ValueRow
                  key={term}
                  kind="sub"
                  name={BRANCH_NAMES[term]}
                  values={facts.map((f) => steady(f?.diff ? value(f.term(term)) : ''))}
                />
              ))}
            {difference !== undefined && (
              <ValueRow name="B − A" kind="rule" values={['', steady(formatSigned(difference))]} />
            )}
            {row('share of row', (f) => formatPlain(f.share))}
            {row('rank in row', (f) => `${f.rank} of ${f.of}`, undefined, `${known.L} of ${known.L}`.length)}
            {row('distance', (f) => f.distance)}
          </tbody>
        </table>
      </div>
      <RowSources
        maps={maps}
        slots={slots}
        leading={leading}
        destination={destination}
        marked={ownToken(leading.source.model, source)}
        onRank={setRanking}
      />
      {form === 's6' && span === 'layer' && maps.every((map) => map?.source.map?.metadata.form !== 'softmax') && (
        <AlphaShare view={view} slots={slots} maps={maps} destination={destination} />
      )}
      {form === 'logit' && <RowSum slots={slots} maps={maps} destination={destination} />}
      <MapCheck slots={slots} maps={maps} />
    </aside>
  );
});
