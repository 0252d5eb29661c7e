import { SnrRequestSchema } from '@/lib/api/analyses';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => reply(await service().snr(await readBody(request, SnrRequestSchema))));
