'use client';
import { memo } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import { layerName } from '../charts/layerAxis';
import type { View } from '../data/view';
import { select } from '../state/selection';
import { Id } from '../ui/parts';
import { PART_NAMES, type Step, strongestParts } from './waterfall';

/** A part, as a sentence names it; a layer opens it. */
function Named({ step, layers }: { step: Step; layers: number }) {
  const { layer, part, from, to } = step;
  const name = layer < 0 || layer >= layers ? layerName(layer, layers) : PART_NAMES[part];
  return (
    <>
      {name}
      {layer >= 0 && layer < layers && (
        <>
          {' '}
          of{' '}
          <button type="button" className="link" data-export="keep" onClick={() => select({ layer })}>
            layer {layer}
          </button>
        </>
      )}{' '}
      ({formatSigned(to - from)})
    </>
  );
}

/** Which parts raise and lower the logit most, in one sentence. */
export const Finding = memo(function Finding(props: { view: View; steps: readonly (readonly Step[])[] }) {
  const { view, steps } = props;
  const found = view.models.flatMap(({ slot }, k) => {
    const { raises, lowers } = strongestParts(steps[k] ?? []);
    const logit = steps[k]?.at(-1)?.to;
    return raises || lowers ? [{ slot, raises, lowers, logit }] : [];
  });
  if (found.length === 0) return <p className="finding" />;
  return (
    <p className="finding" data-testid="attribution-finding">
      {found.map(({ slot, raises, lowers, logit }) => (
        <span key={slot}>
          In <Id slot={slot} small />{' '}
          {raises && (
            <>
              the logit is raised most by <Named step={raises} layers={view.layers} />
            </>
          )}
          {raises && lowers && ' and '}
          {lowers && (
            <>
              lowered most by <Named step={lowers} layers={view.layers} />
            </>
          )}
          , {formatSigned(logit)} in all.{' '}
        </span>
      ))}
    </p>
  );
});
