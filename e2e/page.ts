import { expect, type Locator, type Page } from '@playwright/test';

/**
 * Opens the page with the first example of the demo pair in place, whose four layers run in no time; returns what the console
 * complains about from then on.
 */
export async function open(page: Page, path = '/'): Promise<string[]> {
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${path}${path.includes('?') ? '&' : '?'}example=person-short`);
  await expect(page.getByTestId('run-button')).toBeEnabled();
  return complaints;
}

export const expectState = (page: Page, state: string) =>
  expect(page.getByTestId('status')).toHaveAttribute('data-state', state, { timeout: 30_000 });

/** Presses Run and waits until both models are finished and drawn. */
export async function run(page: Page): Promise<void> {
  await page.getByTestId('run-button').click();
  await expectState(page, 'done');
  // The link follows a moment later.
  await expect(page).toHaveURL(/[?&]run=/);
  await expect(page.getByTestId('map-A')).toBeVisible();
  await expect(page.getByTestId('map-B')).toBeVisible();
}

/** Waits until nothing has arrived and nothing has changed on the page for a second: what comes after a run comes when it can. */
export async function rest(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle');
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        let quiet = setTimeout(done, 1000);
        const observer = new MutationObserver(() => {
          clearTimeout(quiet);
          quiet = setTimeout(done, 1000);
        });
        observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
        function done() {
          observer.disconnect();
          // The page's own idle work and what it draws.
          requestIdleCallback(() => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
        }
      }),
  );
}

/** Chooses a model in the dialog of a picker. */
export async function pickModel(page: Page, slot: 'a' | 'b', name: string): Promise<void> {
  await page.getByTestId(`model-${slot}`).click();
  await page.getByTestId('model-search').fill(name);
  await page.getByTestId(`pick-${name}`).click();
  await expect(page.getByTestId('model-dialog')).toBeHidden();
}

/** How many colours a picture has. */
export const coloursOf = (canvas: Locator): Promise<number> =>
  canvas.evaluate((element: HTMLCanvasElement) => {
    const { width, height } = element;
    const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy?.drawImage(element, 0, 0);
    const pixels = copy?.getImageData(0, 0, width, height).data.buffer;
    return new Set(new Uint32Array(pixels ?? new ArrayBuffer(0))).size;
  });

/** Unfolds the controls of a section that a first look does without. */
export async function more(page: Page, section: string): Promise<void> {
  const button = page.getByTestId(`${section}-more`);
  await expect(button).toBeVisible();
  if ((await button.getAttribute('aria-expanded')) === 'false') await button.click();
}
