'use client';
import { memo } from 'react';
import type { Lens } from '@/lib/api/bodies';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import { layerName } from '../charts/layerAxis';
import { lensRow } from '../data/series';
import type { View } from '../data/view';
import { select } from '../state/selection';
import { Id, TokenText } from '../ui/parts';
import { lensFinding } from './lensFinding';

/** What the lens at the read-out says first, in one sentence; a layer opens it. */
export const Finding = memo(function Finding(props: {
  view: View;
  lenses: readonly (Lens | undefined)[];
  targets: readonly (number | undefined)[];
  texts: readonly ((id: number) => string)[];
}) {
  const { view, lenses, targets, texts } = props;
  const found = view.models.flatMap(({ slot, position, layers }, k) => {
    const [lens, target] = [lenses[k], targets[k]];
    const finding = lens && target !== undefined ? lensFinding(lensRow(lens, position, layers), target) : undefined;
    return finding ? [{ slot, layers, text: texts[k], ...finding }] : [];
  });
  if (found.length === 0) return <p className="finding" />;
  const right = found.filter(({ from }) => from !== undefined);
  const wrong = found.filter(({ from }) => from === undefined);
  return (
    <p className="finding" data-testid="lens-finding">
      {right.length > 0 && (
        <>
          At position {view.position} <TokenText text={view.target.trim()} /> is the top token from{' '}
          {right.map(({ slot, layers, from = layers, topProb }, k) => (
            <span key={slot}>
              {k > 0 && ' and from '}
              {from >= 0 && from < layers ? (
                <button type="button" className="link" data-export="keep" onClick={() => select({ layer: from })}>
                  layer {from}
                </button>
              ) : (
                `the ${layerName(from, layers)}`
              )}{' '}
              on in <Id slot={slot} small /> ({formatPlain(topProb)} at the output)
            </span>
          ))}
          .{' '}
        </>
      )}
      {wrong.map(({ slot, text, topId, topProb, rank }) => (
        <span key={slot}>
          <Id slot={slot} small /> ends with <TokenText text={text(topId)} /> ({formatPlain(topProb)});{' '}
          <TokenText text={view.target.trim()} /> has rank {formatCount(rank)}.{' '}
        </span>
      ))}
    </p>
  );
});
