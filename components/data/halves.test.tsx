import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import type { Run, RunModel } from '@/lib/api/schemas';
import { blockOf } from '@/lib/architectures';
import type { SingleKind } from '@/lib/architectures/kinds';
import { blockSummary } from '@/lib/server/compute/maps/branches';
import { BranchEquation, MapName } from '../attention/MapHeading';
import { HeadSwitches, Switches } from '../causal/Switches';
import { layerAxis } from '../charts/layerAxis';
import { LayerStrip } from '../signal/LayerStrip';
import { INITIAL_SELECTION } from '../state/selection';
import { hasDiff, makeView, type View } from './view';

const MIXER = {
  d: 8,
  E: 16,
  N: 2,
  K: 4,
  R: 0,
  H: 2,
  P: 8,
  G: 1,
  epsilon: 1e-5,
  timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
  useBias: false,
  useConvBias: true,
};

const TOKENS = ['Mary', ' left'].map((text, id) => ({ id, text, start: 5 * id, end: 5 * id + 5 }));

/** A run of a model of two such blocks, as the server describes it, with λ of both. */
function viewOf(kind: SingleKind): View {
  const block = blockOf(kind, MIXER, { lambdaInit: 0.2, subln: true });
  const summary = blockSummary(block);
  const blocks = [0, 1].map(() => ({ ...summary, lambda: summary.lambdaInit === null ? null : 0.7 }));
  const model: RunModel = {
    name: 'm',
    tokens: TOKENS,
    position: 1,
    needle: null,
    target: { id: 1, text: ' left' },
    candidates: [],
    entries: [],
    blocks,
    mapsReady: 0,
    signalReady: false,
    lensReady: false,
  };
  const request = { models: ['m'], prompt: 'Mary left', position: -1, target: ' left' };
  const run = { id: 'r', request, state: 'running', models: [model], analyses: [] } as unknown as Run;
  const selection = { ...INITIAL_SELECTION, modelA: 'm', modelB: '', prompt: 'Mary left', target: ' left' };
  return makeView(selection, run) as View;
}

const AXIS = layerAxis(600, 2, false);

const htmlOf = (element: ReactElement) =>
  renderToStaticMarkup(<QueryClientProvider client={new QueryClient()}>{element}</QueryClientProvider>);

const strip = (view: View) =>
  htmlOf(<LayerStrip view={view} axis={AXIS} lenses={[undefined]} vocabulary={9} valueText="" />);

describe('a block that subtracts the halves of one mixer', () => {
  const view = viewOf('diff_mamba2e');
  const [model] = view.models;

  it('shows its λ below the layers, and counts as differential', () => {
    expect(hasDiff(model)).toBe(true);
    expect(strip(view)).toContain('λ of A');
    expect(strip(viewOf('mamba2'))).not.toContain('λ of A');
  });

  it('has a slider for λ and a switch for each half, and one list of heads', () => {
    const html = htmlOf(<Switches model={model} axis={AXIS} layer={0} />);
    for (const id of ['lambda-A-0', 'lambda-A-1', 'switch-A-0.mixer_1', 'switch-A-1.mixer_2'])
      expect(html).toContain(`data-testid="${id}"`);
    const heads = htmlOf(<HeadSwitches model={model} layer={0} />);
    expect(heads).toContain('switch-A-0.head.1');
    expect(heads).not.toContain('mixer_1');
  });

  it('is called what it is, with one mixer, and is not said to subtract nothing', () => {
    const entry = { model, branch: 'single' } as Parameters<typeof MapName>[0]['entry'];
    expect(htmlOf(<MapName entry={entry} layer={0} />)).toContain('Diff-Mamba-2E block, one mixer, λ = 0.700');
    const equation = htmlOf(<BranchEquation model={model} branches={undefined} layer={0} testIds="" />);
    expect(equation).toContain('the halves of its output are subtracted');
    expect(equation).not.toContain('nothing to subtract');
  });
});
