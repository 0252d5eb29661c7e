import { defineConfig, devices } from '@playwright/test';
import { PLAIN_DOOR } from './scripts/lib/serve.mjs';

const PORT = Number(process.env.E2E_PORT ?? 3911);

/** Page tests against the production build, in the Chromium that the test script found or installed. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/e2e',
  snapshotPathTemplate: '{testDir}/baselines/{arg}{ext}',
  fullyParallel: false,
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  use: {
    ...devices['Desktop Chrome'],
    baseURL: `http://127.0.0.1:${PORT}`,
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
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
  webServer: {
    command: 'node scripts/start.mjs',
    url: `http://127.0.0.1:${PORT}/api/health`,
    reuseExistingServer: false,
    timeout: 300_000,
    env: { ...PLAIN_DOOR, PORT: String(PORT), STATESCOPE_DATA: 'test-results/data' },
    stdout: 'ignore',
    stderr: 'pipe',
  },
});
