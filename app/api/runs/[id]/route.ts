import { RunDeleteQuerySchema, RunPatchSchema } from '@/lib/api/runs';
import { readBody, readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (_request: Request, { params }: Context) =>
  respond(async () => reply(await service().recall((await params).id)));

export const PATCH = (request: Request, { params }: Context) =>
  respond(async () => {
    const { name } = await readBody(request, RunPatchSchema);
    return reply(await service().renameRun((await params).id, name));
  });

export const DELETE = (request: Request, { params }: Context) =>
  respond(async () => {
    const { id } = await params;
    const { forget } = readQuery(request, RunDeleteQuerySchema);
    if (forget === 'true') return reply(await service().forgetRun(id));
    await service().recall(id);
    return reply(service().cancelRun(id));
  });
