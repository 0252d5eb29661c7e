/** Starts the worker with the server, so that the device is open and the bundled models are warm before the first run. */
export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs' || process.env.NEXT_PHASE === 'phase-production-build') return;
  const { service } = await import('@/lib/server');
  service().start();
}
