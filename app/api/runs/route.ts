import { RunRequestSchema } from '@/lib/api/schemas';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = () => respond(async () => reply(await service().listRuns()));

export const POST = (request: Request) =>
  respond(async () => {
    const { id } = await service().createRun(await readBody(request, RunRequestSchema));
    return reply({ id }, 202);
  });
