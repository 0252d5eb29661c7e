import type { RunEvent } from '@/lib/api/schemas';
import { isFinal } from './run-book';

const HEARTBEAT_MS = 15_000;

const endsRun = (message: RunEvent) => (message.event === 'run' || message.event === 'state') && isFinal(message.data);

/**
 * Server-sent events of one run: first `run`, then everything that happens, and the end of the stream when the
 * run ends. A reader who leaves only ends the stream; the run goes on. Comments every 15 s keep proxies from
 * closing a quiet connection.
 */
export function eventStream(
  subscribe: (listener: (event: RunEvent) => void) => () => void,
  disconnected?: AbortSignal,
): Response {
  const encoder = new TextEncoder();
  let leave: () => void = () => undefined;
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  let open = true;
  const stop = () => {
    open = false;
    clearInterval(heartbeat);
    leave();
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const listener = (message: RunEvent) => {
        if (!open) return;
        controller.enqueue(encoder.encode(`event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`));
        if (!endsRun(message)) return;
        stop();
        controller.close();
      };
      leave = subscribe(listener);
      disconnected?.addEventListener('abort', stop, { once: true });
      if (!open) leave();
      else heartbeat = setInterval(() => controller.enqueue(encoder.encode(': here\n\n')), HEARTBEAT_MS);
    },
    cancel: stop,
  });
  return new Response(stream, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    },
  });
}
