'use client';
import { lazy, memo, Suspense, useMemo } from 'react';
import { AttentionSection } from './attention/AttentionSection';
import { useFoil } from './causal/usePair';
import { firstLayerAbove } from './charts/curve';
import { usePrefetchedLayers } from './data/mapQueries';
import { useLenses, useSignals, useTargetIds } from './data/queries';
import { metricOnAxis } from './data/series';
import { ShownMaps, useMapsView } from './data/shownMaps';
import type { View } from './data/view';
import { LensSection } from './lens/LensSection';
import { PromptSection } from './prompt/PromptSection';
import { LayerRail } from './signal/LayerRail';
import { SignalSection } from './signal/SignalSection';
import { useOpening } from './state/opening';
import { useSelection } from './state/selection';
import { Banners, ModelWarnings } from './states/Banners';
import { useNarrow } from './ui/measure';
import { useSteady } from './ui/steady';
import { WhenNear } from './ui/WhenNear';

const AttributionSection = lazy(() =>
  import('./attribution/AttributionSection').then(({ AttributionSection: section }) => ({ default: section })),
);
const TracksSection = lazy(() =>
  import('./tracks/TracksSection').then(({ TracksSection: section }) => ({ default: section })),
);

const CausalSection = lazy(() =>
  import('./causal/CausalSection').then(({ CausalSection: section }) => ({ default: section })),
);

const AllocationSection = lazy(() =>
  import('./allocation/AllocationSection').then(({ AllocationSection: section }) => ({ default: section })),
);

const FaithfulnessSection = lazy(() =>
  import('./faithfulness/FaithfulnessSection').then(({ FaithfulnessSection: section }) => ({ default: section })),
);

/** Prompt, signal, attention, lens and causal tests of a run, linked by what is selected and what is under the pointer. */
export const RunSections = memo(function RunSections({ view }: { view: View }) {
  const targets = useTargetIds(view);
  const signals = useSteady(useSignals(view, targets).map(({ data }) => data));
  const lenses = useSteady(useLenses(view, targets).map(({ data }) => data));
  const foil = useFoil(view);
  const mapsView = useMapsView(view);
  const narrow = useNarrow();
  const tracks = useSelection((s) => s.tracks);
  useOpening(view, signals);
  usePrefetchedLayers(view);
  const staleMark = view.stale ? 'from the previous prompt' : '';
  const facts = useMemo(
    () =>
      signals.some((signal) => signal !== undefined)
        ? {
            atOutput: signals.map((signal) =>
              signal ? metricOnAxis(signal, 'p', view.layers)[view.layers + 1] : undefined,
            ),
            firstLayer: signals.map((signal) =>
              signal ? firstLayerAbove(metricOnAxis(signal, 'p', view.layers)) : undefined,
            ),
          }
        : undefined,
    [signals, view.layers],
  );
  return (
    <ShownMaps view={mapsView} targets={targets}>
      <PromptSection view={view} facts={facts} />
      <Banners view={view} />
      <ModelWarnings />
      {tracks && (
        <Suspense>
          <TracksSection view={view} staleMark={staleMark} />
        </Suspense>
      )}
      {!narrow && <LayerRail view={view} signals={signals} />}
      <SignalSection view={view} signals={signals} lenses={lenses} staleMark={staleMark} />
      <AttentionSection view={mapsView} chosenLayer={view.layer} staleMark={staleMark} />
      <LensSection view={view} lenses={lenses} staleMark={staleMark} />
      <WhenNear height={420}>
        <AttributionSection view={view} targets={targets} staleMark={staleMark} />
      </WhenNear>
      <WhenNear height={420}>
        <CausalSection view={view} staleMark={staleMark} />
      </WhenNear>
      <WhenNear height={480}>
        <AllocationSection view={view} targets={targets} foil={foil} staleMark={staleMark} />
      </WhenNear>
      <WhenNear height={200}>
        <FaithfulnessSection view={view} foil={foil} staleMark={staleMark} />
      </WhenNear>
    </ShownMaps>
  );
});
