'use client';
import { memo, useEffect, useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { AttentionSection } from './attention/AttentionSection';
import { useDrawnMaps } from './attention/drawnMaps';
import { HelpDialog } from './bar/HelpDialog';
import { ModelPickers } from './bar/ModelPicker';
import { TopBar } from './bar/TopBar';
import { firstLayerAbove } from './charts/curve';
import { useLayerMaps, useLenses, usePrefetchedLayers, useSignals, useTargetIds } from './data/queries';
import { makeView, type View, type ViewSelection } from './data/view';
import { LensSection } from './lens/LensSection';
import { PromptSection } from './prompt/PromptSection';
import { SignalSection } from './signal/SignalSection';
import { useBootstrap } from './state/bootstrap';
import { isEnded, useRun } from './state/run';
import { useSelection } from './state/selection';
import { handleKey } from './state/shortcuts';
import { followTheme } from './state/theme';
import { useLinkedSelection } from './state/url';
import { Banners } from './states/Banners';
import { EmptyState } from './states/EmptyState';
import { useSteady } from './ui/steady';

/** Prompt, signal, attention and lens of a run, linked by what is selected and what is under the pointer. */
const RunSections = memo(function RunSections({ view }: { view: View }) {
  const targets = useTargetIds(view);
  const signals = useSteady(useSignals(view, targets).map(({ data }) => data));
  const lenses = useSteady(useLenses(view, targets).map(({ data }) => data));
  const entries = useSteady(useLayerMaps(view));
  const maps = useDrawnMaps(entries);
  usePrefetchedLayers(view);
  const staleMark = view.stale ? 'from the previous prompt' : '';
  const facts = useMemo(
    () =>
      signals.some((signal) => signal !== undefined)
        ? {
            atOutput: signals.map((signal) => signal?.target_prob[signal.target_prob.length - 1]),
            firstLayer: signals.map((signal) => (signal ? firstLayerAbove(signal.target_prob) : undefined)),
          }
        : undefined,
    [signals],
  );
  return (
    <>
      <PromptSection view={view} maps={maps} facts={facts} />
      <Banners view={view} />
      <SignalSection view={view} signals={signals} lenses={lenses} staleMark={staleMark} />
      <AttentionSection view={view} entries={entries} maps={maps} staleMark={staleMark} />
      <LensSection view={view} lenses={lenses} staleMark={staleMark} />
    </>
  );
});

const NO_MAPS: readonly undefined[] = [];

/** The page. */
export function Workbench() {
  useLinkedSelection();
  useBootstrap();
  const selection = useSelection(
    useShallow(
      ({ modelA, modelB, prompt, position, target, needle, layer }): ViewSelection => ({
        modelA,
        modelB,
        prompt,
        position,
        target,
        needle,
        layer,
      }),
    ),
  );
  const run = useRun((s) => s.run);
  const starting = useRun((s) => s.starting);
  const view = useMemo(() => makeView(selection, run), [selection, run]);
  useEffect(followTheme, []);
  useEffect(() => {
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, []);
  const idle = !starting && (run === null || isEnded(run));
  return (
    <>
      <TopBar stale={view?.stale ?? false} />
      <main>
        <ModelPickers row />
        {view ? (
          <RunSections view={view} />
        ) : (
          <>
            <PromptSection view={undefined} maps={NO_MAPS} facts={undefined} />
            <Banners view={undefined} />
            {idle ? <EmptyState /> : <p className="note empty">The run starts; layers appear as they are computed.</p>}
          </>
        )}
      </main>
      <HelpDialog />
    </>
  );
}
