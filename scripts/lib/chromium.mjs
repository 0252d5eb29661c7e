import { existsSync } from 'node:fs';
import { run, say } from './run.mjs';

/** Chromium without windows: it draws the same pages, and takes a quarter less of the processor over a run of the page tests. */
const SHELL = '/usr/bin/chromium-headless-shell';
const WHOLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * The browser for the page's tests: CHROMIUM_PATH, or the shell of Debian's Chromium, which is installed where we are root; else an installed browser.
 * Returns null, after one line, where there is none to be had.
 */
export async function chromium() {
  const installed = (paths) => paths.find((path) => path && existsSync(path)) ?? null;
  const lighter = () => installed([process.env.CHROMIUM_PATH, SHELL]);
  if (!lighter() && process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say('installing Chromium for the page tests (once)');
    const quiet = { stdio: ['ignore', 'ignore', process.stderr], env: { DEBIAN_FRONTEND: 'noninteractive' } };
    await run('apt-get', ['update', '-qq'], quiet);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium-headless-shell'], quiet);
  }
  const found = lighter() ?? installed(WHOLE);
  if (!found) say('no Chromium found: the page tests are left out (install chromium, or set CHROMIUM_PATH)');
  return found;
}
