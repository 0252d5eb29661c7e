import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { decodeSafetensors } from '@/lib/safetensors';
import { BODIES } from '../bodies';
import { AnalysisEventSchemas } from '../causal';
import { GenerationEventSchemas } from '../generation';
import { COMPONENT_SCHEMAS, openApiDocument } from '../openapi';
import { isReading, READINGS } from '../readings';
import { RunEventSchemas } from '../schemas';

interface Content {
  readonly 'application/json'?: { readonly schema?: { readonly $ref: string } };
  readonly 'application/vnd.safetensors'?: object;
  readonly 'text/event-stream'?: object;
}
type Operation = { readonly responses: Readonly<Record<number, { readonly content?: Content } | undefined>> };

const PATHS = Object.entries(openApiDocument('0').paths).map(([path, operations]) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  operations: operations as unknown as Readonly<Record<string, Operation | undefined>>,
}));

const EVENTS: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  '/api/runs/{id}/events': RunEventSchemas,
  '/api/analyses/{id}/events': AnalysisEventSchemas,
  '/api/generate': GenerationEventSchemas,
};

/** Of a value, as much as tells what is wrong. */
const told = (value: unknown) => JSON.stringify(value).slice(0, 300);

/**
 * Holds answers to what the OpenAPI document says of them. The client of the page hands on what it receives, so an
 * answer must be word for word what its schema makes of it: nothing missing, nothing more, no default to be filled in.
 */
export class Contract {
  /** What was not as it is written, one sentence each. */
  readonly faults: string[] = [];

  /** Looks at an answer and returns one that can still be read. */
  async hold(method: string, url: URL, response: Response): Promise<Response> {
    const found = PATHS.find(({ pattern }) => pattern.test(url.pathname));
    const where = `${method} ${found?.path ?? url.pathname}, ${response.status}`;
    const declared = found?.operations[method.toLowerCase()]?.responses[response.status];
    if (!found || !declared) {
      this.faults.push(`${where}: the document does not know it`);
      return response;
    }
    const { content = {} } = declared;
    const reference = content['application/json']?.schema?.$ref.split('/').pop();
    if (reference) this.same(where, COMPONENT_SCHEMAS[reference], await response.clone().json());
    else if (content['application/vnd.safetensors'])
      this.holdMetadata(where, found.path, await response.clone().arrayBuffer());
    else if (content['text/event-stream'] && response.body) {
      const seen = this.watch(where, EVENTS[found.path]);
      return new Response(response.body.pipeThrough(seen), { headers: response.headers });
    }
    return response;
  }

  private same(where: string, schema: z.ZodType | undefined, value: unknown): void {
    const parsed = schema?.safeParse(value);
    if (!parsed?.success) this.faults.push(`${where}: ${parsed?.error.message ?? 'nothing is known of it'}`);
    else if (!isDeepStrictEqual(parsed.data, value))
      this.faults.push(`${where}: ${told(value)} where the schema makes ${told(parsed.data)}`);
  }

  /** What the client makes of a file's metadata is what the schema makes of it. */
  private holdMetadata(where: string, path: string, body: ArrayBuffer): void {
    const name = path.replace('/api/runs/{id}/', '');
    if (!isReading(name)) return;
    const { reply } = READINGS[name];
    if (reply.kind !== 'tensors') return;
    const { tensors, metadata } = decodeSafetensors(body);
    const parsed = reply.metadata.safeParse(metadata);
    const read = BODIES[name as keyof typeof BODIES](tensors, metadata).metadata;
    if (!parsed.success) this.faults.push(`${where}: ${parsed.error.message}`);
    else if (!isDeepStrictEqual(read, parsed.data))
      this.faults.push(`${where}: read as ${told(read)}, written as ${told(parsed.data)}`);
  }

  /** Of a stream whose messages come one in a chunk, as the server sends them. */
  private watch(where: string, schemas: Readonly<Record<string, z.ZodType>>): TransformStream<Uint8Array, Uint8Array> {
    const decoder = new TextDecoder();
    return new TransformStream({
      transform: (chunk, controller) => {
        controller.enqueue(chunk);
        const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(decoder.decode(chunk)) ?? [];
        if (event) this.same(`${where}, ${event}`, schemas[event], JSON.parse(data));
      },
    });
  }
}
