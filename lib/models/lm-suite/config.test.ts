import { describe, expect, it } from 'vitest';
import type { DifferentialBlock } from '@/lib/checkpoint';
import { type LmSuiteConfig, lmSuiteTensors, paperSuite, parameterCount, subLayersOf } from '.';
import { decaysInSuite } from './shapes';
import { tinySuite } from './test-support';

const millions = (config: LmSuiteConfig, part?: 'sub-layers') => Math.floor(parameterCount(config, part) / 1e6);

describe('parameter counts', () => {
  it.each([
    ['text8', 6, 'mamba2', 127],
    ['text8', 6, 'diff_mamba2', 129],
    ['text8', 12, 'mamba2', 255],
    ['text8', 12, 'diff_mamba2', 259],
    ['enwik8', 6, 'diff_mamba2', 129],
    ['enwik8', 12, 'mamba2', 255],
    ['enwik8', 12, 'diff_mamba2', 259],
    ['wikitext-103', 6, 'mamba2', 167],
    ['wikitext-103', 6, 'diff_mamba2', 169],
    ['text8', 6, 'diff_s6_mamba2', 128],
  ] as const)('%s with %i units of %s are those of the paper: %iM', (data, units, kind, published) => {
    expect(millions(paperSuite(data, units, kind))).toBe(published);
  });

  it.each([
    ['enwik8', 6, 'mamba2', 127],
    ['wikitext-103', 12, 'mamba2', 255],
    ['wikitext-103', 12, 'diff_mamba2', 259],
  ] as const)('%s with %i units of %s are those of the paper without embedding and softmax: %iM', (...row) => {
    const [data, units, kind, published] = row;
    expect(millions(paperSuite(data, units, kind), 'sub-layers')).toBe(published);
  });

  it('give the head of a byte model three cluster rows that stand for no token', () => {
    const tensors = lmSuiteTensors(paperSuite('text8', 6, 'mamba2'));
    expect(tensors.get('loss.cluster_weight')).toEqual([3, 1024]);
    expect(tensors.get('encoder.emb_layers.0.weight')).toEqual([27, 1024]);
    expect(tensors.has('loss.out_projs.0')).toBe(false);
  });
});

describe('sub-layers', () => {
  it('count FFNs in the i of λ_init', () => {
    const layers = subLayersOf(paperSuite('text8', 6, 'diff_mamba2'));
    const found = layers.flatMap((layer, j) =>
      layer.kind === 'mixer' ? [[j, (layer.block as DifferentialBlock).lambdaInit]] : [],
    );
    const places = [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16];
    expect(found).toEqual(places.map((i) => [i, 0.8 - 0.6 * Math.exp(-0.3 * i)]));
  });

  it('carry the names of the authors’ state dict', () => {
    const names = [...lmSuiteTensors(tinySuite('diff_mamba2')).keys()];
    for (const name of [
      'layers.0.layer.m1.in_proj.weight',
      'layers.1.layer.m2.norm.weight',
      'layers.0.layer.lambda_q1',
      'layers.0.layer.subln.weight',
      'layers.0.norm.norm.weight',
      'layers.2.layer.ff.0.0.weight',
      'layers.2.layer.ff.2.bias',
      'layers.2.norm.norm.bias',
    ])
      expect(names).toContain(name);
    expect(lmSuiteTensors(tinySuite('mamba2')).has('layers.0.layer.A_log')).toBe(true);
    expect(lmSuiteTensors(tinySuite('diff_s6')).has('layers.0.layer.x2_proj.weight')).toBe(true);
  });

  it('take λ forms and leave out the sub-norm where asked', () => {
    const config = tinySuite('diff_mamba2', { lambda: 'sigmoid_channel', subln: false });
    const tensors = lmSuiteTensors(config);
    expect(tensors.get('layers.0.layer.lambda_q1')).toEqual([16]);
    expect(tensors.has('layers.0.layer.subln.weight')).toBe(false);
    expect(lmSuiteTensors(tinySuite('diff_mamba1')).get('layers.0.layer.lambda_k2')).toEqual([4]);
  });

  it('decay as the authors’ optimizer groups do', () => {
    const kept = [...lmSuiteTensors(tinySuite('diff_mamba2')).keys()].filter((name) => !decaysInSuite(name));
    const ends = new Set(kept.map((name) => name.replace(/^layers\.\d+\.(layer\.)?(m[12]\.)?/, '')));
    expect([...ends].sort()).toEqual(
      ['A_log', 'D', 'dt_bias', 'conv1d.bias', 'ff.0.0.bias', 'ff.2.bias', 'norm.norm.bias', 'norm.norm.weight'].sort(),
    );
  });
});

describe('configurations that cannot be', () => {
  it.each([
    [{ cutoffs: [9, 9] }, /rising/],
    [{ cutoffs: [9, 29] }, /not below the vocabulary of 29/],
    [{ divVal: 8, cutoffs: [9, 17] }, /cannot be divided/],
    [{ mixer: { P: 7 } }, /head dimension 7/],
  ])('%o are refused', (own, message) => {
    expect(() => lmSuiteTensors(tinySuite('mamba2', own))).toThrow(message);
  });
});
