'use client';
import { memo, useEffect, useMemo } from 'react';
import { layerAxis } from '../charts/layerAxis';
import type { View } from '../data/view';
import { useNarrow, useWidth } from '../ui/measure';
import { AblateTest } from './AblateTest';
import { InterventionTest } from './InterventionTest';
import { KnockoutTest } from './KnockoutTest';
import { PatchTest } from './PatchTest';
import { setCausal, useCausal } from './settings';
import './url';

const TESTS = { patch: PatchTest, knockout: KnockoutTest, ablate: AblateTest, intervene: InterventionTest };

/** Patching, knock-out, ablation and interventions on the run's prompt, on the page's layer axis. */
export const CausalSection = memo(function CausalSection({ view, staleMark }: { view: View; staleMark: string }) {
  const Test = TESTS[useCausal((s) => s.test)];
  const [ref, width] = useWidth();
  const narrow = useNarrow();
  const axis = useMemo(
    () => (width > 0 ? layerAxis(width, view.layers, narrow) : undefined),
    [width, view.layers, narrow],
  );
  useEffect(() => {
    const free = (event: KeyboardEvent) => event.key === 'Escape' && setCausal({ pin: null, span: null });
    window.addEventListener('keydown', free);
    return () => window.removeEventListener('keydown', free);
  }, []);
  return <Test view={view} axis={axis} staleMark={staleMark} measure={ref} />;
});
