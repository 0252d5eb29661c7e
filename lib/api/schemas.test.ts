import { describe, expect, it } from 'vitest';
import { ALL_KINDS } from '@/lib/checkpoint/types';
import { LensMetadataSchema, READINGS } from './readings';
import { RunPatchSchema } from './runs';
import { BlockKindSchema, RunRequestSchema, SpanSchema } from './schemas';

const MapQuerySchema = READINGS.map.query;
const SignalQuerySchema = READINGS.signal.query;
const ThumbnailsQuerySchema = READINGS.thumbnails.query;

describe('schemas', () => {
  it('know every block kind', () => {
    expect(BlockKindSchema.options).toEqual([...ALL_KINDS]);
  });

  it('fill in the defaults of a run request', () => {
    expect(RunRequestSchema.parse({ models: ['a'], prompt: 'p', target: 't' })).toEqual({
      models: ['a'],
      prompt: 'p',
      target: 't',
      position: -1,
    });
  });

  it.each([
    ['no model', { models: [] }],
    ['three models', { models: ['a', 'b', 'c'] }],
    ['an empty prompt', { prompt: '' }],
    ['an empty target', { target: '' }],
    ['a fractional position', { position: 1.5 }],
    ['a position below −1', { position: -2 }],
    ['an empty needle', { needle: [3, 3] }],
    ['an empty candidate', { candidates: [''] }],
  ])('refuse a run request with %s', (_what, change) => {
    expect(RunRequestSchema.safeParse({ models: ['a'], prompt: 'p', target: 't', ...change }).success).toBe(false);
  });

  it('read queries, which are strings', () => {
    expect(MapQuerySchema.parse({ layer: '3', reduce: 'head:2' })).toEqual({
      model: 0,
      layer: 3,
      reduce: 'head:2',
      form: 's6',
    });
    expect(SignalQuerySchema.parse({ needle: '2,5', position: '-1' })).toEqual({
      model: 0,
      lens: 'logit',
      needle: [2, 5],
      position: -1,
    });
    expect(ThumbnailsQuerySchema.parse({})).toEqual({ model: 0, reduce: 'mean', form: 's6', first: 0, size: 56 });
  });

  it.each([
    [MapQuerySchema, {}],
    [MapQuerySchema, { layer: '-1' }],
    [MapQuerySchema, { layer: 'x' }],
    [MapQuerySchema, { layer: '0', reduce: 'head:' }],
    [MapQuerySchema, { layer: '0', reduce: 'median' }],
    [MapQuerySchema, { layer: '0', branch: 'both' }],
    [ThumbnailsQuerySchema, { size: '100000' }],
    [SignalQuerySchema, { needle: '5,2' }],
    [SignalQuerySchema, { needle: '5' }],
  ])('refuse a bad query %#', (schema, query) => {
    expect(schema.safeParse(query).success).toBe(false);
  });

  it('keep spans half-open and non-empty', () => {
    expect(SpanSchema.safeParse([0, 1]).success).toBe(true);
    expect(SpanSchema.safeParse([1, 1]).success).toBe(false);
    expect(SpanSchema.safeParse([-1, 1]).success).toBe(false);
  });

  it('refuse names that a database cannot hold', () => {
    expect(RunPatchSchema.parse({ name: ' Küche 🍳 ' })).toEqual({ name: 'Küche 🍳' });
    for (const name of ['a\0b', 'a\ud800', '\udc00b', 'n'.repeat(201)])
      expect(RunPatchSchema.safeParse({ name }).success).toBe(false);
  });

  it('read lens labels', () => {
    expect(LensMetadataSchema.parse({ lens: 'logit', entries: 'embedding,layer 0,final', target: '7' })).toEqual({
      lens: 'logit',
      entries: ['embedding', 'layer 0', 'final'],
      target: 7,
    });
  });
});
