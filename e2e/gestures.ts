import type { Page } from '@playwright/test';

export type Random = () => number;

const KEYS =
  'ArrowLeft ArrowRight ArrowUp ArrowDown Home End 1 2 3 4 [ ] f n d s m 0 x t e ? Escape Enter + - Tab Tab Shift+Tab'.split(
    ' ',
  );
const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
];

const pick = <T>(list: readonly T[], random: Random): T => list[Math.floor(random() * list.length)];

/** The middle of a random control that is in view; links lead away, and Run is a gesture of its own. */
const someControl = (page: Page, random: Random) =>
  page.evaluate((at) => {
    const controls = [
      ...document.querySelectorAll<HTMLElement>('main button, main input, dialog[open] button, [role=option]'),
    ].filter((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const over = document.elementFromPoint(left + width / 2, top + height / 2);
      return width > 0 && top > 60 && top < innerHeight && over !== null && element.contains(over);
    });
    if (controls.length === 0) return undefined;
    const { left, top, width, height } = controls[Math.floor(at * controls.length)].getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  }, random());

/** Another option of a random list. */
const changeSelect = (page: Page, random: Random) =>
  page.evaluate(
    ([which, option]) => {
      const lists = [...document.querySelectorAll<HTMLSelectElement>('main select')].filter(
        (list) => list.offsetParent !== null && !list.disabled,
      );
      const list = lists[Math.floor(which * lists.length)];
      if (!list) return;
      list.selectedIndex = Math.floor(option * list.options.length);
      list.dispatchEvent(new Event('change', { bubbles: true }));
    },
    [random(), random()] as const,
  );

const somewhere = (page: Page, random: Random) => {
  const { width, height } = page.viewportSize() ?? SIZES[0];
  return { x: random() * width, y: 60 + random() * (height - 60) };
};

/** A key that means something to the page; in a text field it would be a letter, and a word that no model knows is refused. */
async function someKey(page: Page, random: Random): Promise<void> {
  await page.evaluate(() => {
    const { activeElement: focused } = document;
    const holdsText = focused instanceof HTMLInputElement && /^(text|search|number)$/.test(focused.type);
    if (holdsText || focused instanceof HTMLTextAreaElement) focused.blur();
  });
  await page.keyboard.press(pick(KEYS, random));
}

/** What a restless person does, each with its weight. */
const GESTURES: readonly [number, (page: Page, random: Random) => Promise<unknown>][] = [
  [10, someKey],
  [
    8,
    async (page, random) => {
      const { x, y } = somewhere(page, random);
      await page.mouse.move(x, y, { steps: 4 });
    },
  ],
  [
    3,
    async (page, random) => {
      const [from, to] = [somewhere(page, random), somewhere(page, random)];
      await page.mouse.move(from.x, from.y);
      await page.mouse.down();
      await page.mouse.move(to.x, to.y, { steps: 3 });
      await page.mouse.up();
    },
  ],
  [
    4,
    async (page, random) => {
      const control = await someControl(page, random);
      if (control) await page.mouse.click(control.x, control.y);
    },
  ],
  [2, changeSelect],
  [4, (page, random) => page.mouse.wheel(0, (random() - 0.4) * 900)],
  [
    3,
    async (page, random) => {
      const { x, y } = somewhere(page, random);
      await page.mouse.move(x, y);
      await page.keyboard.down('Control');
      for (let k = 0; k < 4; k++) await page.mouse.wheel(0, random() < 0.6 ? -60 : 60);
      await page.keyboard.up('Control');
    },
  ],
  [0.5, (page) => page.keyboard.press('ControlOrMeta+Enter')],
  [0.3, (page, random) => page.setViewportSize(pick(SIZES, random))],
];
const WEIGHT = GESTURES.reduce((sum, [weight]) => sum + weight, 0);

/** One random gesture; the same random numbers make the same gestures. */
export async function gesture(page: Page, random: Random): Promise<void> {
  let at = random() * WEIGHT;
  for (const [weight, act] of GESTURES) {
    at -= weight;
    if (at < 0) {
      await act(page, random);
      return;
    }
  }
}
