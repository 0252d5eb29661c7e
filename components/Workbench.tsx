'use client';
import { lazy, Suspense, useEffect, useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { ModelPickers } from './bar/ModelPicker';
import { TopBar } from './bar/TopBar';
import { makeView, viewSelection } from './data/view';
import { useBootstrap } from './prompt/bootstrap';
import { PromptSection } from './prompt/PromptSection';
import { useMaximised } from './state/maximised';
import { isEnded, useRun } from './state/run';
import { useSelection } from './state/selection';
import { handleKey, useShortcuts } from './state/shortcuts';
import { followTheme } from './state/theme';
import { LinkedSelection } from './state/url';
import { ArchiveNotice, Banners } from './states/Banners';
import { EmptyState } from './states/EmptyState';
import { WhenNear } from './ui/WhenNear';

// The first screen needs neither the figures nor the list of keys.
const loadSections = () => import('./RunSections').then(({ RunSections }) => ({ default: RunSections }));
const RunSections = lazy(loadSections);
const GenerationSection = lazy(() =>
  import('./generation/GenerationSection').then((module) => ({ default: module.GenerationSection })),
);
const HelpDialog = lazy(() => import('./bar/HelpDialog').then((module) => ({ default: module.HelpDialog })));

/** The page before a run has anything to show. */
function BeforeRun({ idle }: { idle: boolean }) {
  return (
    <>
      <PromptSection view={undefined} facts={undefined} />
      <Banners view={undefined} />
      {idle ? <EmptyState /> : <p className="note empty">The run starts; layers appear as they are computed.</p>}
    </>
  );
}

/** The page. */
export function Workbench() {
  useBootstrap();
  const selection = useSelection(useShallow(viewSelection));
  const run = useRun((s) => s.run);
  const starting = useRun((s) => s.starting);
  const helpOpen = useShortcuts((s) => s.helpOpen);
  const maximised = useMaximised((s) => s.section);
  const view = useMemo(() => makeView(selection, run), [selection, run]);
  useEffect(followTheme, []);
  useEffect(() => {
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, []);
  useEffect(() => {
    if (starting) void loadSections();
  }, [starting]);
  const idle = !starting && (run === null || isEnded(run));
  return (
    <>
      <LinkedSelection />
      <TopBar view={view} />
      <main data-maximised={maximised || undefined}>
        <ModelPickers row />
        <ArchiveNotice />
        {view ? (
          <Suspense fallback={<BeforeRun idle={false} />}>
            <RunSections view={view} />
            <WhenNear height={240}>
              <GenerationSection />
            </WhenNear>
          </Suspense>
        ) : (
          <BeforeRun idle={idle} />
        )}
      </main>
      {helpOpen && (
        <Suspense>
          <HelpDialog />
        </Suspense>
      )}
    </>
  );
}
