import { describe, expect, it } from 'vitest';
import { layerAxis } from '../charts/layerAxis';
import { stripLayout } from './stripLayout';

describe('stripLayout', () => {
  it('stands on the layer axis when wide', () => {
    const axis = layerAxis(1088, 48, false);
    const strip = stripLayout(axis, 12, 2, true);
    expect(strip.thumbnailX(12)).toBe(axis.x(12));
    expect(strip.thumbnail).toBe(18);
    expect(strip.at(axis.x(-1), strip.thumbnailTops[0] + 4)).toBe(-1);
  });

  it('shows a window around the selection when narrow, tied to the axis above it', () => {
    const axis = layerAxis(366, 48, true);
    const strip = stripLayout(axis, 30, 2, true);
    expect(strip.count).toBe(11);
    for (let layer = strip.first; layer < strip.first + strip.count; layer++)
      expect(strip.at(strip.thumbnailX(layer), strip.thumbnailTops[1] + 2)).toBe(layer);
    expect(strip.at(axis.x(3), strip.lensTops[0] + 2)).toBe(3);
  });

  it('stands on the layer axis on narrow pages too, where all layers have room', () => {
    const axis = layerAxis(366, 8, true);
    const strip = stripLayout(axis, 5, 2, true);
    expect(strip.count).toBe(8);
    for (let layer = 0; layer < 8; layer++) expect(strip.thumbnailX(layer)).toBe(axis.x(layer));
    expect(strip.thumbnail).toBeLessThan(axis.pitch);
    expect(strip.at(axis.x(3), strip.thumbnailTops[1] + 2)).toBe(3);
  });

  it('is never larger than 56 px a thumbnail and leaves out λ where no block has one', () => {
    const axis = layerAxis(1088, 6, false);
    expect(stripLayout(axis, 2, 2, true).thumbnail).toBe(56);
    expect(stripLayout(axis, 2, 2, false).height).toBeLessThan(stripLayout(axis, 2, 2, true).height);
    expect(stripLayout(axis, 2, 1, true).height).toBeLessThan(stripLayout(axis, 2, 2, true).height);
  });
});
