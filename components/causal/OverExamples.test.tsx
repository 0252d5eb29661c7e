import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import type { View } from '../data/view';
import type { OverExamples as Found } from './meanMap';
import { MeanMaps, OverExamples } from './OverExamples';

const estimate = (mean: number | null) => ({ mean, low: mean, high: mean, n: mean === null ? 0 : 3 });
const found: Found = {
  intervals: { level: 0.95, over: 'prompts' },
  sources: [
    {
      source: 'stories',
      examples: 3,
      models: [
        {
          model: 'demo',
          metric: 'logit_difference',
          notes: ['The corrupted prompts were made.'],
          cells: [
            { layers: [0, 1], class: 'needle', tokens: 4.5, effect: estimate(0.75), change: estimate(9) },
            { layers: [0, 1], class: 'self', tokens: 1, effect: estimate(null), change: estimate(null) },
          ],
        },
      ],
    },
  ],
};

describe('causal tests over examples', () => {
  it('show means with intervals by layer and class, a dash where there are none, and say what they cover', () => {
    const html = renderToStaticMarkup(<MeanMaps found={found} test="patch" />);
    expect(html).toMatch(
      /<td style="background:#?[^"]+">\+0\.750<small>\[\+0\.750, \+0\.750\]<\/small><\/td><td>–<\/td>/,
    );
    expect(html).toContain('<th scope="row">0–1</th>');
    expect(html).toContain('needle (4.5)');
    expect(html).toContain('Effect over 3 prompts, 95 % bootstrap intervals over prompts, not over training seeds.');
    expect(html).toContain('The corrupted prompts were made.');
  });

  it('have the colour of their mean, on one scale for all models', () => {
    const change = (mean: number) => ({
      layers: [2],
      mixer: 'mixer_1',
      class: 'all',
      tokens: 9,
      change: estimate(mean),
    });
    const [model] = found.sources[0].models;
    const models = [-4, -2].map((mean) => ({ ...model, model: String(mean), cells: [change(mean)] }));
    const html = renderToStaticMarkup(
      <MeanMaps found={{ ...found, sources: [{ ...found.sources[0], models }] }} test="ablate" />,
    );
    const colours = [...html.matchAll(/<td style="background:([^;"]+)/g)].map(([, colour]) => colour);
    expect(colours).toHaveLength(2);
    expect(colours[0]).not.toBe(colours[1]);
    expect(html).toContain('<th scope="row">2 mixer_1</th>');
    expect(html).toContain('−4.00');
  });

  it('wait to be asked', () => {
    const view = { models: [] } as unknown as View;
    const html = renderToStaticMarkup(
      <QueryClientProvider client={new QueryClient()}>
        <OverExamples view={view} test="knockout" />
      </QueryClientProvider>,
    );
    expect(html).toContain('data-testid="over-run"');
    expect(html).toContain('data-state="idle"');
    expect(html).not.toContain('over-means');
    const units = (...pair: string[][]) => {
      const models = pair.map((branches) => ({ layers: 1, model: { blocks: [{ branches }] } }));
      return renderToStaticMarkup(
        <QueryClientProvider client={new QueryClient()}>
          <OverExamples view={{ models } as unknown as View} test="ablate" />
        </QueryClientProvider>,
      );
    };
    expect(units(['mixer_1', 'mixer_2'])).toContain('each branch');
    expect(units(['single'], ['mixer_1', 'mixer_2'])).not.toContain('each branch');
  });
});
