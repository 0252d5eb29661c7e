'use client';
import { memo } from 'react';
import type { Signal } from '@/lib/api/readings';
import { formatSigned, formatValue } from '@/lib/figures/numbers';
import { METRIC_INFO, type Metric } from '../charts/curve';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { select } from '../state/selection';
import { Id } from '../ui/parts';
import { curveFinding } from './curveFinding';

/** What this prompt's curves show first, in one sentence; a layer opens it. */
export const Finding = memo(function Finding(props: {
  view: View;
  signals: readonly (Signal | undefined)[];
  metric: Metric;
}) {
  const { view, signals, metric } = props;
  const { label, signed } = METRIC_INFO[metric];
  const found = view.models.flatMap(({ slot, layers }, k) => {
    const signal = signals[k];
    return signal ? [{ slot, ...curveFinding(metricOnAxis(signal, metric, layers)) }] : [];
  });
  const outputs = found.filter(({ output }) => output !== undefined);
  const steps = found.filter(({ layer }) => layer !== undefined);
  if (outputs.length + steps.length === 0) return <p className="finding" />;
  return (
    <p className="finding" data-testid="signal-finding">
      {outputs.length > 0 && (
        <>
          {label} at the output:{' '}
          {outputs.map(({ slot, output }, k) => (
            <span key={slot}>
              {k > 0 && ', '}
              {formatValue(output, signed)} in <Id slot={slot} small />
            </span>
          ))}
          .{' '}
        </>
      )}
      {steps.length > 0 && (
        <>
          {outputs.length > 0 ? 'It' : label} changes most in{' '}
          {steps.map(({ slot, layer, change }, k) => (
            <span key={slot}>
              {k > 0 && ' and '}
              <button type="button" className="link" data-export="keep" onClick={() => select({ layer })}>
                layer {layer}
              </button>{' '}
              of <Id slot={slot} small /> ({formatSigned(change)})
            </span>
          ))}
          .
        </>
      )}
    </p>
  );
});
