import { GenerationRequestSchema } from '@/lib/api/generation';
import { eventStream, readBody, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => {
    const start = await service().generation(await readBody(request, GenerationRequestSchema));
    return eventStream(start, request.signal, service().ended);
  });
