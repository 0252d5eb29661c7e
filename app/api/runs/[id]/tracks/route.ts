import { TracksQuerySchema } from '@/lib/api/schemas';
import { readQuery, replyBody, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (request: Request, { params }: Context) =>
  respond(async () => replyBody(await service().tracks((await params).id, readQuery(request, TracksQuerySchema))));
