import { TokenizeRequestSchema } from '@/lib/api/schemas';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => reply({ tokens: await service().tokenize(await readBody(request, TokenizeRequestSchema)) }));
