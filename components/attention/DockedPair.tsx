'use client';
import { formatValue } from '@/lib/figures/numbers';
import type { DrawnMap } from '../data/drawnMaps';
import { ownToken, type View } from '../data/view';
import { useHover } from '../state/hover';
import { Id, TokenText } from '../ui/parts';

/** The pair under the pointer and its values at the foot of the screen, where the inspector is out of sight. */
export function DockedPair({ view, maps }: { view: View; maps: readonly (DrawnMap | undefined)[] }) {
  const destination = useHover((s) => (s.origin === 'map' ? s.destination : undefined));
  const source = useHover((s) => (s.origin === 'map' ? s.source : undefined));
  if (destination === undefined || source === undefined) return null;
  const text = (k: number) => <TokenText text={view.tokens[k]?.text ?? ''} />;
  return (
    <div className="docked" data-testid="docked-pair" aria-hidden="true">
      <span className="mono">
        {source} {text(source)} → {destination} {text(destination)}
      </span>
      <span>
        {maps.map((map) => {
          if (!map) return null;
          const { model } = map.source;
          const [i, j] = [ownToken(model, destination), ownToken(model, source)];
          const value = i === undefined || j === undefined ? undefined : map.raw[i * map.L + j];
          return (
            <span key={model.slot} className="mono">
              <Id slot={model.slot} small /> {formatValue(value, map.scale.signed)}{' '}
            </span>
          );
        })}
      </span>
    </div>
  );
}
