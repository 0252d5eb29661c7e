'use client';
import { memo } from 'react';
import { formatValue } from '@/lib/figures/numbers';
import { cut } from '../charts/tokens';
import type { DrawnMap } from '../data/drawnMaps';
import { nearestOfA, ownToken, type View } from '../data/view';
import { hover } from '../state/hover';
import { select, useSelection } from '../state/selection';
import { Id, TokenText } from '../ui/parts';
import { percent, rowFinding } from './rowFinding';

const TOKEN_LETTERS = 14;

/** What the row of the locked cell, else of the read-out, shows first, in one sentence; a source locks its cell. */
export const Finding = memo(function Finding(props: { view: View; maps: readonly (DrawnMap | undefined)[] }) {
  const { view, maps } = props;
  const destination = useSelection((s) => s.lock?.destination) ?? view.position;
  const found = maps.flatMap((map) => {
    const row = map && ownToken(map.source.model, destination);
    const finding =
      map && row !== undefined && row < map.L ? rowFinding(map.raw, map.L, row, map.source.model.needle) : undefined;
    return map && finding ? [{ ...finding, model: map.source.model, signed: map.scale.signed }] : [];
  });
  if (found.length === 0) return <p className="finding" />;
  const needles = found.filter(({ needle }) => needle !== undefined);
  return (
    <p className="finding" data-testid="attention-finding">
      Position {destination} reads most from{' '}
      {found.map(({ model, source, value, share, signed }, k) => {
        const ofA = nearestOfA(model, source);
        return (
          <span key={model.slot}>
            {k > 0 && ' and '}
            <button
              type="button"
              className="link mono"
              data-export="keep"
              aria-label={`Lock ${source} ${model.tokens[source].text.trim()} to ${destination}`}
              onPointerEnter={() => hover({ origin: 'chip', destination, source: ofA })}
              onClick={() => select({ lock: { destination, source: ofA } })}
            >
              {source} <TokenText text={cut(model.tokens[source].text, TOKEN_LETTERS)} />
            </button>{' '}
            in <Id slot={model.slot} small /> ({formatValue(value, signed)}, {percent(share)} of its row)
          </span>
        );
      })}
      {needles.length > 0 && (
        <>
          ; the needle is{' '}
          {needles.map(({ model, needle = 0 }, k) => (
            <span key={model.slot}>
              {k > 0 && ', '}
              {percent(needle)} of the row in <Id slot={model.slot} small />
            </span>
          ))}
        </>
      )}
      .
    </p>
  );
});
