'use client';
import { memo, useEffect } from 'react';
import { AttentionSection } from '../attention/AttentionSection';
import { useLenses, useSignals, useTargetIds } from '../data/queries';
import { ShownMaps } from '../data/shownMaps';
import type { View } from '../data/view';
import { LensSection } from '../lens/LensSection';
import { LayerRail } from '../signal/LayerRail';
import { SignalSection } from '../signal/SignalSection';
import { select } from '../state/selection';
import { useNarrow } from '../ui/measure';
import { useSteady } from '../ui/steady';

/** The figures of two runs; without those that need matching tokens where there is an obstacle. */
export const CompareFigures = memo(function CompareFigures({ view, obstacle }: { view: View; obstacle?: string }) {
  const targets = useTargetIds(view);
  const signals = useSteady(useSignals(view, targets).map(({ data }) => data));
  const lenses = useSteady(useLenses(view, targets).map(({ data }) => data));
  const narrow = useNarrow();
  // What two runs differ in is what this page is for; the switch can take it away.
  useEffect(() => {
    if (!new URLSearchParams(location.search).has('diff')) select({ difference: true });
  }, []);
  const figures = (
    <>
      {!narrow && <LayerRail view={view} signals={signals} />}
      <SignalSection view={view} signals={signals} lenses={lenses} staleMark="" />
      {obstacle ? (
        <p className="banner" role="status" data-testid="compare-obstacle">
          {obstacle}
        </p>
      ) : (
        <>
          <AttentionSection view={view} staleMark="" />
          <LensSection view={view} lenses={lenses} staleMark="" />
        </>
      )}
    </>
  );
  return obstacle ? (
    figures
  ) : (
    <ShownMaps view={view} targets={targets}>
      {figures}
    </ShownMaps>
  );
});
