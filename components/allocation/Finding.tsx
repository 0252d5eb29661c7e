'use client';
import { memo } from 'react';
import type { AllocationResult } from '@/lib/api/allocation';
import { formatPlain, formatSigned } from '@/lib/figures/numbers';
import { type Found, PART_NAMES, type Part } from '../charts/allocation';
import type { View } from '../data/view';
import { select } from '../state/selection';
import { Id } from '../ui/parts';
import { allocationFinding, tellingLayers } from './allocationFinding';

/** Layers that a sentence names. */
const NAMED = 3;

const Layer = ({ layer }: { layer: number }) => (
  <button type="button" className="link" data-export="keep" onClick={() => select({ layer })}>
    layer {layer}
  </button>
);

const interval = ({ low, high }: { low?: number; high?: number }, format: (value: number) => string) =>
  low === undefined || high === undefined ? '' : ` [${format(low)}, ${format(high)}]`;

/** What the section shows first: where the needle is read most, and of a batch where the models differ for certain. */
export const Finding = memo(function Finding(props: {
  view: View;
  found: readonly Found[];
  part: Part;
  result: AllocationResult | undefined;
}) {
  const { view, found, part, result } = props;
  const most = found.flatMap(({ slot, layers }) => {
    const finding = allocationFinding(layers, part);
    return finding ? [{ slot, ...finding }] : [];
  });
  if (most.length === 0) return <p className="finding" />;
  const names = view.models.map(({ name }) => name);
  const telling = tellingLayers(result, names, view.layers);
  const compares = result?.paired !== undefined && names.length > 1;
  return (
    <p className="finding" data-testid="allocation-finding">
      The needle’s part of the context{part === 'net' ? '' : ` in ${PART_NAMES[part]}`} is largest in{' '}
      {most.map(({ slot, layer, value, chance, against }, k) => (
        <span key={slot}>
          {k > 0 && ' and in '}
          <Layer layer={layer} /> of <Id slot={slot} small /> ({formatPlain(value.mean)}
          {interval(value, formatPlain)}
          {against && chance !== null && `, ${against} than the ${formatPlain(chance)} of reading every token alike`})
        </span>
      ))}
      .{' '}
      {compares &&
        (telling.length > 0 ? (
          <>
            B − A of whole blocks leaves out zero in{' '}
            {telling.slice(0, NAMED).map(({ layer, paired }, k) => (
              <span key={layer}>
                {k > 0 && ', '}
                <Layer layer={layer} /> ({formatSigned(paired.mean)}
                {interval(paired, formatSigned)})
              </span>
            ))}
            {telling.length > NAMED && ` and ${telling.length - NAMED} more`}.
          </>
        ) : (
          'In no layer does the interval of B − A leave out zero.'
        ))}
    </p>
  );
});
