import { RunRequestSchema } from '@/lib/api/schemas';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => reply(await service().estimate(await readBody(request, RunRequestSchema))));
