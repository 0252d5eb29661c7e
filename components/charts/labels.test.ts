import { describe, expect, it } from 'vitest';
import { labelPriorities, placeLineLabels, thinLabels } from './labels';

const tokens = 'Mary went to the garden . John sat . Where is Mary ? Answer'.split(' ').map((word, k) => ({
  text: k ? ` ${word}` : word,
  start: k * 10,
  end: k * 10 + 5,
}));

describe('labelPriorities', () => {
  const priorities = labelPriorities(tokens, { position: 13, needle: [0, 4], target: ' garden' });

  it('puts the read-out first, then the target, then the needle’s ends', () => {
    expect(priorities[13]).toBeGreaterThan(priorities[4]);
    expect(priorities[4]).toBeGreaterThan(priorities[0]);
    expect(priorities[0]).toBeGreaterThan(priorities[2]);
  });

  it('prefers repeats of the needle’s names and sentence starts to the rest', () => {
    expect(priorities[11]).toBeGreaterThan(priorities[6]);
    expect(priorities[6]).toBeGreaterThan(priorities[7]);
  });

  it('lets a lock come before the target', () => {
    const locked = labelPriorities(tokens, { position: 13, target: ' garden', lock: { destination: 7, source: 2 } });
    expect(locked[7]).toBeGreaterThan(locked[4]);
  });
});

describe('thinLabels', () => {
  it('keeps all labels where there is room', () => {
    expect(thinLabels([1, 1, 1], 12, 10)).toEqual([0, 1, 2]);
  });

  it('never lets labels come closer than asked, and keeps the most important', () => {
    const priorities = Float32Array.from({ length: 512 }, (_, k) => (k === 511 ? 9 : k === 300 ? 7 : (k * 7) % 5));
    const kept = thinLabels(priorities, 1.3, 10);
    expect(kept).toContain(511);
    expect(kept).toContain(300);
    for (let k = 1; k < kept.length; k++) expect((kept[k] - kept[k - 1]) * 1.3).toBeGreaterThanOrEqual(10);
    expect(kept.length).toBeGreaterThan(35);
  });
});

describe('placeLineLabels', () => {
  const plot = { left: 80, right: 1080, top: 0, bottom: 190 };
  const line = (y: (x: number) => number) => Array.from({ length: 8 }, (_, k) => ({ x: 140 + k * 126, y: y(k) }));

  it('writes the upper name above and the lower below', () => {
    const [a, b] = placeLineLabels([line(() => 60), line(() => 120)], [110, 130], plot);
    expect(a?.y).toBeLessThan(60);
    expect(b?.y).toBeGreaterThan(60);
    expect(Math.abs((b?.y ?? 0) - 120)).toBeLessThan(25);
  });

  it('never writes over a line', () => {
    const lines = [line((k) => 180 - k * 22), line((k) => 170 - k * k * 3)];
    const widths = [110, 130];
    placeLineLabels(lines, widths, plot).forEach((at, index) => {
      if (!at) return;
      for (const points of lines)
        for (const { x, y } of points)
          expect(x >= at.x && x <= at.x + widths[index] && y > at.y - 9 && y < at.y + 2).toBe(false);
    });
  });

  it('keeps names of lines that coincide apart', () => {
    const flat = line(() => 95);
    const [a, b] = placeLineLabels([flat, flat], [100, 100], plot);
    if (!a || !b) throw new Error('both names have room');
    expect(Math.abs(a.y - b.y) >= 14 || Math.abs(a.x - b.x) >= 116).toBe(true);
  });

  it('gives up rather than collide', () => {
    const flat = line(() => 95);
    expect(placeLineLabels([flat, flat], [100, 100], plot).filter(Boolean).length).toBeLessThanOrEqual(2);
    expect(placeLineLabels([flat], [2000], plot)).toEqual([undefined]);
  });
});
