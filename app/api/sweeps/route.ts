import { SweepQuerySchema, SweepRequestSchema } from '@/lib/api/sweeps';
import { readBody, readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = () => respond(async () => reply(await service().listSweeps()));

export const POST = (request: Request) =>
  respond(async () => {
    const { retry } = readQuery(request, SweepQuerySchema);
    return reply(await service().createSweep(await readBody(request, SweepRequestSchema), retry), 202);
  });
