/** Most bytes of compressed JavaScript that the page may load before anything is asked of it. */
export const FIRST_LOAD_BUDGET = 250_000;

/**
 * Bytes of compressed JavaScript that a page of Playwright has loaded, as they came over the wire.
 * @param {import('@playwright/test').Page} page
 * @returns {Promise<number>}
 */
export const loadedScripts = (page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter(({ name }) => /\.js(\?|$)/.test(name))
      .reduce((sum, entry) => sum + /** @type {PerformanceResourceTiming} */ (entry).encodedBodySize, 0),
  );
