import { describe, expect, it } from 'vitest';
import { AnalysisRequestSchema } from '@/lib/api/causal';
import type { BlockSummary } from '@/lib/api/schemas';
import type { ModelView, View } from '../data/view';
import { pointsIn } from './points';
import {
  ablationCellRequest,
  ablationEstimateRequest,
  ablationRequest,
  interventionRequest,
  knockoutCellRequest,
  knockoutEstimateRequest,
  knockoutRequest,
  otherPrompts,
  patchRequest,
} from './requests';

const plain: BlockSummary = {
  kind: 'mamba2',
  lambda: null,
  lambdaInit: null,
  branches: ['single'],
  heads: 4,
  channels: 8,
};
const diff: BlockSummary = {
  kind: 'diff_mamba2',
  lambda: 1,
  lambdaInit: 0.5,
  branches: ['mixer_1', 'mixer_2', 'diff'],
  heads: 4,
  channels: 8,
  points: { hook_resid_pre: [], hook_y: ['mixer_1', 'mixer_2'], hook_h: ['mixer_1', 'mixer_2'], conv: [] },
};
const tokens = ['Mary', ' left', ' home'].map((text, k) => ({ id: k, text, start: 5 * k, end: 5 * k + 5 }));

const run = { request: { prompt: 'Mary left home', target: ' a', candidates: ['a', 'b'] } };
const modelOf = (name: string, blocks: BlockSummary[], request: object = {}) =>
  ({
    slot: 'A',
    index: 0,
    name,
    run: { request: { ...run.request, ...request } },
    model: { blocks, target: { id: 7, text: ' a' } },
    tokens,
    target: ' a',
    layers: blocks.length,
    position: 2,
  }) as unknown as ModelView;
const view = {
  run,
  target: ' a',
  position: 2,
  tokens,
  models: [modelOf('m', [plain, diff])],
} as unknown as View;
const pair = { corrupted: 'John left home', foil: 'b' };

describe('what the causal tests ask of the server', () => {
  it('fits the schema', () => {
    const model = modelOf('m', [plain, diff]);
    for (const request of [
      patchRequest(view, model, { point: 'hook_h', branch: 'mixer_1', direction: 'noise' }, pair),
      knockoutRequest(view, model, { queries: 'later', reads: 'scan', branch: '' }, 'b', {
        tokens: [0, 2],
        together: true,
      }),
      interventionRequest(
        view,
        model,
        { lambdas: { 1: 0 }, off: ['0', '1.mixer_2', '1.mixer_1.head.3'] },
        'zero',
        'b',
        [],
      ),
    ])
      expect(AnalysisRequestSchema.safeParse(request).error).toBeUndefined();
  });

  it('estimates removals token by token in the windows of the exact test, and makes one cell of them', () => {
    const model = modelOf('m', [plain, diff, diff]);
    const cut = { queries: 'later', reads: 'scan', branch: '', rows: 'sentences', window: 2 } as const;
    const replaced = { branch: '', method: 'mean', rows: 'sentences', window: 2 } as const;
    const branch = { ...replaced, branch: 'mixer_2', method: 'self' } as const;
    const asked = [
      knockoutEstimateRequest(view, model, cut, 'b'),
      knockoutCellRequest(view, model, cut, 'b', 1, [0, 1]),
      ablationEstimateRequest(view, model, replaced, 'b', 'demo:32'),
      ablationCellRequest(view, model, branch, 'b', 'demo:32', 1, [2, 5]),
    ];
    for (const request of asked) expect(AnalysisRequestSchema.safeParse(request).error).toBeUndefined();
    const tokens = [0, 1, 2].map((t) => [t, t + 1]);
    expect(asked).toMatchObject([
      { kind: 'knockout_attribution', window: 2, check: 12 },
      { kind: 'knockout', layers: [1, 2], window: 2, spans: [[0, 2]] },
      { kind: 'ablate_attribution', unit: 'block', method: 'mean', reference: 'demo:32', spans: tokens, window: 2 },
      { kind: 'ablate', unit: 'mixer', mixer: 'mixer_2', layers: [1, 2], reference: 'self', spans: [[2, 3]] },
    ]);
    expect(asked[0]).not.toHaveProperty('spans');
    // There is no window that begins with the last layer, and no second branch in a plain one.
    expect(knockoutCellRequest(view, model, cut, 'b', 2, [0, 0])).toBeUndefined();
    expect(ablationCellRequest(view, model, branch, 'b', 'demo:32', 0, [0, 0])).toBeUndefined();
    expect(ablationRequest(view, modelOf('m', [plain]), branch, 'b', 'demo:32')).toBeUndefined();
  });

  it('names generated tokens and targets by their ids', () => {
    const exact = { continuation: { start: 4, ids: [1, 2] }, target_id: 7 };
    const how = { queries: 'answer', reads: 'block', branch: '' } as const;
    const generated = modelOf('m', [plain], exact);
    expect(knockoutRequest(view, generated, how, 'b')).toMatchObject({ prompt: [0, 1, 2], target: 7 });
    expect(knockoutRequest(view, { ...generated, target: ' b' }, how, 'a')).toMatchObject({ target: 'b' });
    expect(knockoutRequest(view, modelOf('m', [plain]), how, 'b')).toMatchObject({
      prompt: 'Mary left home',
      target: 'a',
    });
  });

  it('asks for branches in differential layers only, of points that have branches, and of no model without any', () => {
    const mixed = modelOf('m', [plain, diff]);
    const branch = 'mixer_2' as const;
    const direction = 'denoise' as const;
    expect(patchRequest(view, mixed, { point: 'hook_resid_pre', branch, direction }, pair)).not.toHaveProperty(
      'direction',
    );
    expect(patchRequest(view, mixed, { point: 'hook_y', branch, direction: 'noise' }, pair)).toMatchObject({
      layers: [1],
      mixer: branch,
      direction: 'noise',
    });
    expect(patchRequest(view, mixed, { point: 'hook_resid_pre', branch, direction }, pair)).not.toHaveProperty('mixer');
    expect(patchRequest(view, mixed, { point: 'conv', branch, direction }, pair)).not.toHaveProperty('mixer');
    expect(pointsIn([modelOf('m', [diff])])).toEqual(['hook_resid_pre', 'hook_y', 'hook_h', 'conv']);
    expect(patchRequest(view, modelOf('m', [plain]), { point: 'hook_y', branch, direction }, pair)).toBeUndefined();
  });

  it('has no foil where it is the target itself, and a span up to the read-out', () => {
    const model = modelOf('m', [plain]);
    const how = { queries: 'answer', reads: 'block', branch: '' } as const;
    expect(knockoutRequest(view, model, how, ' a ')).not.toHaveProperty('foil');
    const request = knockoutRequest(view, model, how, 'b', { tokens: [1, 2], together: false });
    expect(request).toMatchObject({ foil: 'b', spans: [[1, 3]] });
  });

  it('names every part that is off, and asks for nothing where nothing is changed', () => {
    const model = modelOf('m', [plain, diff]);
    expect(interventionRequest(view, model, { lambdas: {}, off: [] }, 'zero', '', [])).toBeUndefined();
    const off = ['0', '0.head.2', '1.mixer_1', '1.mixer_2.head.3'];
    expect(interventionRequest(view, model, { lambdas: { 1: 0.25 }, off }, 'mean', '', 'demo:32')).toMatchObject({
      lambdas: [{ layer: 1, value: 0.25 }],
      removed: [
        { layer: 0, unit: 'block' },
        { layer: 0, unit: 'head', index: 2 },
        { layer: 1, unit: 'mixer', mixer: 'mixer_1' },
        { layer: 1, unit: 'head', mixer: 'mixer_2', index: 3 },
      ],
      method: 'mean',
      reference: 'demo:32',
    });
    expect(interventionRequest(view, model, { lambdas: {}, off }, 'self', '', 'demo:32')).toMatchObject({
      method: 'mean',
      reference: 'self',
    });
    expect(interventionRequest(view, model, { lambdas: { 1: 0 }, off: [] }, 'mean', '', 'demo:32')).not.toHaveProperty(
      'reference',
    );
  });

  it('takes means over the prompts of the batch, or over stories', () => {
    expect(otherPrompts(undefined)).toBe('demo:32');
    const own = [
      { prompt: 'a b', target: 'c' },
      { tokens: [1, 2], target: 3 },
      { context: 'A.', question: 'B?', target: 'c' },
    ];
    expect(otherPrompts(own)).toEqual(['a b', [1, 2], '<context> \nA.\n</context>\n\nQuestion: B? Answer:']);
  });
});
