// npm run dev: the development server, with the worker and the command line rebuilt first.
import { spawn } from 'node:child_process';
import { ROOT } from './lib/root.mjs';
import { NEXT, prepare } from './lib/setup.mjs';

await prepare();
const server = spawn(process.execPath, [NEXT, 'dev', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', STATESCOPE_ROOT: ROOT },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
server.on('exit', (code) => process.exit(code ?? 0));
