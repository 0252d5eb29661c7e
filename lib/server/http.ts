import { z } from 'zod';
import type { ErrorBody } from '@/lib/api/schemas';
import { ServiceError } from './errors';
import type { Body } from './protocol';

/** Largest request body that is taken. */
const BODY_LIMIT = 4 * 1024 * 1024;
/** So much of a larger one is read and thrown away: who is refused in the middle of sending often never hears why. */
const BODY_HEARD = 4 * BODY_LIMIT;

const NO_STORE = { 'cache-control': 'no-store' };

export const reply = (value: unknown, status = 200): Response => Response.json(value, { status, headers: NO_STORE });

/**
 * A safetensors body. What belongs to a run never changes once it exists, so it may be kept by the browser
 * unless `growing` says that more will come.
 */
export function replyBody(body: Body, { growing = false } = {}): Response {
  return new Response(body, {
    headers: {
      'content-type': 'application/vnd.safetensors',
      'cache-control': growing ? 'no-store' : 'private, max-age=3600, no-transform',
    },
  });
}

const refuse = (status: number, message: string, hint?: string): Response =>
  reply({ error: { message, ...(hint ? { hint } : {}) } } satisfies ErrorBody, status);

/** `models.0: Too small` from the first issue. */
function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  const path = issue.path.join('.');
  return path ? `${path}: ${issue.message}.` : `${issue.message}.`;
}

/** Runs a handler and turns what it throws into the right status and a readable body. */
export async function respond(handler: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await handler();
  } catch (error) {
    if (error instanceof z.ZodError) return refuse(400, `The request is not valid. ${firstIssue(error)}`);
    // Another copy of this module may have made the error: the name decides, not the class.
    if (error instanceof Error && error.name === 'ServiceError') {
      const { status, message, hint } = error as ServiceError;
      return refuse(status, message, hint);
    }
    console.error(error);
    return refuse(500, 'The server failed on this request.', "The server's log has the details.");
  }
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () =>
    new ServiceError(413, `The request is larger than ${BODY_LIMIT / 1024 / 1024} MB.`, 'Shorten the prompt.');
  if (Number(request.headers.get('content-length') ?? 0) > BODY_HEARD) throw tooLarge();
  if (!request.body) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > BODY_HEARD) throw tooLarge();
    if (bytes <= BODY_LIMIT) chunks.push(chunk);
  }
  if (bytes > BODY_LIMIT) throw tooLarge();
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws ServiceError 400 or 413, ZodError when the JSON does not fit the schema. */
export async function readBody<S extends z.ZodType>(request: Request, schema: S): Promise<z.output<S>> {
  if (!request.headers.get('content-type')?.startsWith('application/json'))
    throw new ServiceError(400, 'The request body must be sent as application/json.');
  const text = await readText(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ServiceError(400, 'The request body is not JSON.');
  }
  return schema.parse(value);
}

/** @throws ZodError when the query does not fit the schema. */
export function readQuery<S extends z.ZodType>(request: Request, schema: S): z.output<S> {
  return schema.parse(Object.fromEntries(new URL(request.url).searchParams));
}
