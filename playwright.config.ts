import { defineConfig, devices } from '@playwright/test';
import { dataOf, OWN } from './e2e/server';
import { PLAIN_DOOR } from './scripts/lib/serve.mjs';

const PORT = Number(process.env.E2E_PORT ?? 3911);
/** How many files of tests run at a time, each against a server and a data folder of its own. */
const WORKERS = Number(process.env.E2E_WORKERS ?? 1);
const addressOf = (worker: number) => `http://127.0.0.1:${PORT + worker}`;

/** Page tests against the production build, in the Chromium that the test script found or installed. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/e2e',
  snapshotPathTemplate: '{testDir}/baselines/{arg}{ext}',
  fullyParallel: false,
  workers: WORKERS,
  // In a whole run two browsers and two servers share a machine: what failed is tried once more, and named by `npm test` where it then passes.
  retries: WORKERS > 1 ? 1 : 0,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  use: {
    ...devices['Desktop Chrome'],
    baseURL: addressOf(OWN),
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium-headless-shell',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
    screenshot: 'only-on-failure',
    // Recording traces is a fifth of the processor time of a test: `npx playwright test NAME --trace on` where one is wanted.
    trace: 'off',
  },
  webServer: Array.from({ length: WORKERS }, (_, worker) => ({
    command: 'node scripts/start.mjs',
    url: `${addressOf(worker)}/api/health`,
    reuseExistingServer: false,
    timeout: 300_000,
    env: { ...PLAIN_DOOR, PORT: String(PORT + worker), STATESCOPE_DATA: dataOf(worker) },
    stdout: 'ignore' as const,
    stderr: 'pipe' as const,
  })),
});
