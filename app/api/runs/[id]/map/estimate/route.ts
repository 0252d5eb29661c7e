import { MapQuerySchema } from '@/lib/api/schemas';
import { readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (request: Request, { params }: Context) =>
  respond(async () => reply(await service().mapEstimate((await params).id, readQuery(request, MapQuerySchema))));
