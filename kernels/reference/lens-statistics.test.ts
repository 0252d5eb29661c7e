import { describe, expect, it } from 'vitest';
import { rowStatistics, topIds } from './lens-statistics';

describe('statistics of one distribution', () => {
  const V = 17;
  const random = (seed: number) =>
    Float32Array.from({ length: V }, (_, j) => 6 * Math.sin(seed * 12.9898 + j * 78.233));
  const softmax = (z: Float32Array) => {
    const e = [...z].map(Math.exp);
    const sum = e.reduce((a, b) => a + b);
    return e.map((value) => value / sum);
  };

  it('equal their definitions', () => {
    const [z, f] = [random(1), random(2)];
    const [p, q] = [softmax(z), softmax(f)];
    const target = 4;
    const others = [...z].filter((_, j) => j !== target);
    const mean = others.reduce((a, b) => a + b) / others.length;
    const std = Math.sqrt(others.reduce((a, b) => a + (b - mean) ** 2, 0) / others.length);
    const got = rowStatistics(z, target, f);
    expect(got.target_logprob).toBeCloseTo(Math.log(p[target]), 12);
    expect(got.target_rank).toBe(others.filter((value) => value > z[target]).length);
    expect(got.margin).toBeCloseTo(z[target] - Math.max(...others), 12);
    expect(got.margin_std).toBeCloseTo((z[target] - Math.max(...others)) / std, 12);
    expect(got.target_log_odds).toBeCloseTo(Math.log(p[target] / (1 - p[target])), 10);
    expect(got.entropy).toBeCloseTo(-p.reduce((sum, value) => sum + value * Math.log(value), 0), 12);
    expect(got.kl_final_lens).toBeCloseTo(
      q.reduce((sum, value, j) => sum + value * Math.log(value / p[j]), 0),
      12,
    );
    expect(got.kl_lens_final).toBeCloseTo(
      p.reduce((sum, value, j) => sum + value * Math.log(value / q[j]), 0),
      12,
    );
    expect(got.log_sum_exp).toBeCloseTo(Math.log([...z].reduce((sum, value) => sum + Math.exp(value), 0)), 12);
    expect(got.snr_vocab).toBeCloseTo((z[target] - mean) / std, 12);
  });

  it('keep probabilities far below what float32 can add up', () => {
    const z = new Float32Array(V);
    z[3] = 200;
    const got = rowStatistics(z, 0, z);
    expect(got.target_logprob).toBeCloseTo(-200, 10);
    // Here 1 − p is 16 · e^−200, far below what float64 can take from 1.
    expect(rowStatistics(z, 3, z).target_log_odds).toBeCloseTo(200 - Math.log(V - 1), 10);
  });

  it('name the strongest tokens, equal ones by id', () => {
    expect(topIds(Float32Array.of(1, 5, 3, 5, 4), 3)).toEqual([1, 3, 4]);
    expect(topIds(Float32Array.of(2, 2, 2), 3)).toEqual([0, 1, 2]);
  });
});
