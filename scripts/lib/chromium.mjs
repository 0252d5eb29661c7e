import { existsSync } from 'node:fs';
import { run, say } from './run.mjs';

const KNOWN = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * The browser for the page's tests: CHROMIUM_PATH, an installed one, or Debian's package where we are root.
 * Returns null, after one line, where there is none to be had.
 */
export async function chromium() {
  const found = () => [process.env.CHROMIUM_PATH, ...KNOWN].find((path) => path && existsSync(path)) ?? null;
  if (found()) return found();
  if (process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say('installing Chromium for the page tests (once)');
    const quiet = { stdio: ['ignore', 'ignore', process.stderr], env: { DEBIAN_FRONTEND: 'noninteractive' } };
    await run('apt-get', ['update', '-qq'], quiet);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], quiet);
  }
  if (!found()) say('no Chromium found: the page tests are left out (install chromium, or set CHROMIUM_PATH)');
  return found();
}
