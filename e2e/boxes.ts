import type { Page } from '@playwright/test';

/**
 * Pairs of texts of the main part of the page that are written over each other, in words. Every line of text is a box; of its
 * height (of its width, where it is turned) the middle half counts, which the letters fill, so that lines set close do not
 * touch. What is cut by an ancestor, is there for the ear only, or lies over the page on a ground of its own does not count.
 */
export const overlaps = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    interface Box {
      readonly text: string;
      readonly owner: Element;
      readonly left: number;
      readonly right: number;
      readonly top: number;
      readonly bottom: number;
    }
    /** Pixels by which boxes may share an edge. */
    const TOUCH = 1.5;
    const boxes: Box[] = [];
    const isUnseen = (element: Element) =>
      element.closest('.visually-hidden, .rail, dialog, option, title, style, script, [data-testid="moving-maps"]') !==
        null || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    /** The part of the page in which an element's content is seen. */
    const seen = (element: Element) => {
      let [left, top, right, bottom] = [0, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let at: Element | null = element; at && at !== document.body; at = at.parentElement) {
        if (getComputedStyle(at).overflow === 'visible') continue;
        if (at instanceof SVGElement) continue;
        const box = at.getBoundingClientRect();
        [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
        [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
      }
      return { left, top, right, bottom };
    };
    const walker = document.createTreeWalker(document.querySelector('main') as Element, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const owner = node.parentElement;
      if (!owner || !node.textContent?.trim() || isUnseen(owner)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const limit = seen(owner);
      const turned = owner instanceof SVGGraphicsElement && Math.abs(owner.getScreenCTM()?.b ?? 0) > 0.5;
      for (const { left, right, top, bottom, width, height } of range.getClientRects()) {
        const [across, down] = turned ? [width / 4, 0] : [0, height / 4];
        const box = {
          left: Math.max(left + across, limit.left),
          right: Math.min(right - across, limit.right),
          top: Math.max(top + down, limit.top),
          bottom: Math.min(bottom - down, limit.bottom),
        };
        if (box.right - box.left > 1 && box.bottom - box.top > 1)
          boxes.push({ text: node.textContent.trim(), owner, ...box });
      }
    }
    boxes.sort((a, b) => a.top - b.top);
    const found = new Set<string>();
    for (const [k, a] of boxes.entries())
      for (let n = k + 1; n < boxes.length && boxes[n].top < a.bottom; n++) {
        const b = boxes[n];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - b.top;
        if (a.owner !== b.owner && wide > TOUCH && high > TOUCH) {
          const section = a.owner.closest('section')?.id ?? 'page';
          found.add(`${section}: “${a.text.slice(0, 40)}” and “${b.text.slice(0, 40)}”`);
        }
      }
    return [...found];
  });
