import { describe, expect, it } from 'vitest';
import { Pictures } from './pictures';

const picture = (width: number) => ({ width, height: 10 });

describe('Pictures', () => {
  it('draws each once, and gives up what was not shown longest', () => {
    const gone: number[] = [];
    const made: number[] = [];
    const pictures = new Pictures<object, ReturnType<typeof picture>>(({ width }) => gone.push(width), 50);
    const keys = [1, 2, 3].map((width) => ({ width }));
    const show = (k: number) =>
      pictures.of(keys[k], () => {
        made.push(k);
        return picture(keys[k].width);
      });
    for (const k of [0, 1, 0, 2]) show(k);
    expect(made).toEqual([0, 1, 2]);
    expect(gone).toEqual([2]);
    show(0);
    show(1);
    expect(made).toEqual([0, 1, 2, 1]);
    expect(gone).toEqual([2, 3]);
  });

  it('keeps what is shown even where it is larger than the room, and nothing that was not drawn', () => {
    const pictures = new Pictures<object, ReturnType<typeof picture>>(() => undefined, 50);
    const key = {};
    expect(pictures.of(key, () => undefined)).toBeUndefined();
    const large = pictures.of(key, () => picture(100));
    expect(pictures.of(key, () => picture(1))).toBe(large);
  });
});
