// npm start: sets up what is missing, then serves the production build; with --as-built it sets nothing up.
import { spawn } from 'node:child_process';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { database, NEXT, page, prepare } from './lib/setup.mjs';

const port = process.env.PORT ?? '3000';
const host = process.env.HOST ?? '127.0.0.1';

// What was built elsewhere, as in an image, is served as it is: there may be no compiler here, and no right to write.
if (!process.argv.includes('--as-built')) await prepare(page, database);

say(`open http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`);
const server = spawn(process.execPath, [NEXT, 'start', '-p', port, '-H', host], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', STATESCOPE_ROOT: ROOT },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
server.on('exit', (code) => process.exit(code ?? 0));
