import { describe, expect, it } from 'vitest';
import type { BlockSummary, Run, RunModel } from '@/lib/api/schemas';
import { INITIAL_SELECTION, type Selection } from '../state/selection';
import { branchAt, formAt, hasScan, makeView, mapsLayer, ownToken, tellingLayer, tokenOfA } from './view';

const plain: BlockSummary = {
  kind: 'mamba2',
  lambda: null,
  lambdaInit: null,
  branches: ['single'],
  heads: 4,
  channels: 8,
};
const diff: BlockSummary = {
  ...plain,
  kind: 'diff_mamba2',
  lambda: 0.5,
  lambdaInit: 0.4,
  branches: ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'],
};

const spans = (pieces: string[]) => {
  let start = 0;
  return pieces.map((text, id) => {
    const token = { id, text, start, end: start + text.length };
    start = token.end;
    return token;
  });
};

const model = (name: string, blocks: BlockSummary[], pieces = ['Mary', ' went', ' home', '.']): RunModel => ({
  name,
  tokens: spans(pieces),
  position: pieces.length - 1,
  needle: [0, 3],
  target: { id: 2, text: ' home' },
  candidates: [],
  entries: [],
  blocks,
  mapsReady: 0,
  signalReady: false,
  lensReady: false,
});

const run = (models: RunModel[]): Run => ({
  id: 'r',
  state: 'done',
  request: { models: models.map((m) => m.name), prompt: 'Mary went home.', position: -1, target: ' home' },
  queuePosition: 0,
  progress: null,
  models,
  device: null,
  timing: { createdAt: 0, startedAt: 0, finishedAt: 1, firstMapMs: 1 },
  available: true,
  analyses: [],
});

const selection: Selection = {
  ...INITIAL_SELECTION,
  modelA: 'x',
  modelB: 'y',
  prompt: 'Mary went home.',
  needle: [5, 14],
};

describe('makeView', () => {
  const pair = run([model('x', [plain, plain, plain]), model('y', [diff, plain, diff])]);

  it('shows the selection’s read-out and needle', () => {
    const view = makeView({ ...selection, position: 1 }, pair);
    expect(view?.models.map((m) => [m.slot, m.name, m.position])).toEqual([
      ['A', 'x', 1],
      ['B', 'y', 1],
    ]);
    expect(view?.models[0].needle).toEqual([1, 2]);
  });

  it('swaps without a new run', () => {
    const view = makeView({ ...selection, modelA: 'y', modelB: 'x' }, pair);
    expect(view?.stale).toBe(false);
    expect(view?.models.map((m) => [m.slot, m.name, m.index])).toEqual([
      ['A', 'y', 1],
      ['B', 'x', 0],
    ]);
  });

  it('keeps the run’s own read-out when the prompt or a model changed', () => {
    const view = makeView({ ...selection, prompt: 'Another text', position: 0 }, pair);
    expect(view?.stale).toBe(true);
    expect(view?.models[0]).toMatchObject({ position: 3, needle: [0, 2] });
    expect(makeView({ ...selection, modelB: '' }, pair)?.stale).toBe(true);
  });

  it('matches tokens of different tokenizers by their characters', () => {
    const view = makeView(
      selection,
      run([model('x', [plain]), model('y', [plain], ['Ma', 'ry', ' went', ' home', '.'])]),
    );
    const b = view?.models[1];
    expect(b && ownToken(b, 1)).toBe(2);
    expect(b && ownToken(b, 0)).toBeUndefined();
    expect(b && tokenOfA(b, 4)).toBe(3);
    expect(b?.position).toBe(4);
  });

  it('waits until the run knows its tokens', () => {
    expect(makeView(selection, null)).toBeUndefined();
    expect(makeView(selection, { ...pair, models: [] })).toBeUndefined();
  });

  it('asks plain blocks for their only map', () => {
    const b = makeView(selection, pair)?.models[1];
    const chosen = { branch: 'lambda_mixer_2', mixer: 'single', form: 's6', span: 'layer' } as const;
    expect(b && [0, 1].map((layer) => branchAt(b, layer, chosen))).toEqual(['lambda_mixer_2', 'single']);
  });

  it('asks attention for its softmax weights, and two mixers side by side for both only where they have a sum', () => {
    const blocks: BlockSummary[] = [
      {
        ...plain,
        branches: ['attention', 'mamba'],
        softmax: ['attention'],
        exact: ['attention', 'mamba', 'single'],
      },
      { ...plain, softmax: ['single'] },
      plain,
      { ...plain, branches: [] },
    ];
    const models = pair.models.map((model) => ({ ...model, blocks }));
    const b = makeView(selection, { ...pair, models })?.models[0];
    const at = (mixer: 'attention' | 'mamba' | 'single', form: 's6' | 'norm', span: 'layer' | 'norm' = 'layer') =>
      b && branchAt(b, 0, { branch: 'diff', mixer, form, span });
    expect([at('single', 's6'), at('attention', 's6'), at('single', 'norm'), at('mamba', 'norm')]).toEqual([
      'mamba',
      'attention',
      'single',
      'mamba',
    ]);
    expect(at('attention', 's6', 'norm')).toBe('single');
    expect([formAt(blocks[0], 'attention', 's6'), formAt(blocks[0], 'mamba', 's6')]).toEqual(['softmax', 's6']);
    expect([formAt(blocks[1], 'single', 's6'), formAt(blocks[1], 'single', 'norm')]).toEqual(['softmax', 'norm']);
    expect(blocks.map(hasScan)).toEqual([true, false, true, false]);
  });
});

describe('tellingLayer', () => {
  it('prefers a differential block near two fifths of the depth', () => {
    expect(tellingLayer([{ blocks: Array(6).fill(plain) }, { blocks: [diff, plain, diff, plain, diff, plain] }])).toBe(
      2,
    );
    expect(tellingLayer([{ blocks: Array(6).fill(plain) }])).toBe(2);
  });
});

describe('mapsLayer', () => {
  const without: BlockSummary = { ...plain, branches: [] };
  const at = (state: Run['state'], ready: readonly [number, number], layer = 2) => {
    const models = [model('x', [without, plain, plain]), model('y', [diff, plain, diff])];
    const pair = { ...run(models.map((m, k) => ({ ...m, mapsReady: ready[k] }))), state };
    const view = makeView({ ...selection, layer }, pair);
    return view && mapsLayer(view);
  };

  it('is the first computed layer with maps until the run has come to the chosen one', () => {
    expect(at('running', [0, 0])).toBe(2);
    expect(at('running', [2, 0])).toBe(1);
    expect(at('running', [3, 0])).toBe(2);
    expect(at('running', [0, 1])).toBe(0);
  });

  it('is the chosen layer of a run that goes on no more', () => {
    expect(at('cancelled', [2, 0])).toBe(2);
    expect(at('done', [3, 3])).toBe(2);
  });
});
