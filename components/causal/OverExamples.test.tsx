import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import type { View } from '../data/view';
import type { OverExamples as Found } from './meanMap';
import { MeanTables, OverExamples } from './OverExamples';

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
    const html = renderToStaticMarkup(<MeanTables found={found} test="patch" />);
    expect(html).toContain('<td>+0.750 [+0.750, +0.750]</td><td>–</td>');
    expect(html).toContain('<th scope="row">0–1</th>');
    expect(html).toContain('needle (4.5)');
    expect(html).toContain('effect over 3 prompts, 95 % bootstrap intervals over prompts, not over training seeds.');
    expect(html).toContain('The corrupted prompts were made.');
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
  });
});
