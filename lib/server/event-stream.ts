import type { AnalysisEvent } from '@/lib/api/causal';
import type { RunEvent } from '@/lib/api/schemas';
import { isFinal } from './run-book';

const HEARTBEAT_MS = 15_000;

type Message = RunEvent | AnalysisEvent;

const isLast = ({ event, data }: Message) =>
  (event === 'run' || event === 'analysis' || event === 'state') && isFinal(data);

/**
 * Server-sent events of one run or analysis: first its whole state, then everything that happens, and the end of the
 * stream when it ends. A reader who leaves only ends the stream; the work goes on. Comments every 15 s keep proxies from
 * closing a quiet connection.
 */
export function eventStream<M extends Message>(
  subscribe: (listener: (event: M) => void) => () => void,
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
      const listener = (message: M) => {
        if (!open) return;
        controller.enqueue(encoder.encode(`event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`));
        if (!isLast(message)) return;
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
