'use client';
import { useLensKind } from '../data/queries';
import type { View } from '../data/view';
import { select } from '../state/selection';
import { Control } from './Control';
import { Segmented } from './Segmented';

/** Logit or tuned lens; absent unless every model has a tuned one. */
export function LensSwitch({ view, name }: { view: View; name: string }) {
  const { kind, choice } = useLensKind(view.models);
  if (!choice) return null;
  const option = (value: 'logit' | 'tuned') => ({ value, label: value, testId: `${name}-lens-${value}` });
  return (
    <Control caption="Lens">
      <Segmented
        label="Lens"
        options={[option('logit'), option('tuned')]}
        value={kind}
        onChange={(lens) => select({ lens })}
      />
    </Control>
  );
}
