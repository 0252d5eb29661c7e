import type { AnalysisEvent } from '@/lib/api/causal';
import type { GenerationEvent } from '@/lib/api/generation';
import type { RunEvent } from '@/lib/api/schemas';
import { isFinal } from './book';

const HEARTBEAT_MS = 15_000;

type Message = RunEvent | AnalysisEvent | GenerationEvent;

const isLast = ({ event, data }: Message) =>
  (event === 'run' || event === 'analysis' || event === 'state') && isFinal(data);

/**
 * Server-sent events of one run, analysis or generation: what `subscribe` tells, and the end of the stream when the work
 * ends, or one of the signals `ends` aborts. A reader who leaves ends the subscription; whether the work goes on is the
 * subscription's matter. Comments every 15 s keep proxies from closing a quiet connection.
 */
export function eventStream<M extends Message>(
  subscribe: (listener: (event: M) => void) => () => void,
  ...ends: readonly AbortSignal[]
): Response {
  const encoder = new TextEncoder();
  let leave: () => void = () => undefined;
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  let open = true;
  let end: () => void = () => undefined;
  const stop = () => {
    open = false;
    clearInterval(heartbeat);
    for (const signal of ends) signal.removeEventListener('abort', end);
    leave();
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const listener = (message: M) => {
        if (!open) return;
        controller.enqueue(encoder.encode(`event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`));
        if (isLast(message)) end();
      };
      end = () => {
        if (!open) return;
        stop();
        controller.close();
      };
      leave = subscribe(listener);
      for (const signal of ends) signal.addEventListener('abort', end);
      if (!open) stop();
      else if (ends.some(({ aborted }) => aborted)) end();
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
