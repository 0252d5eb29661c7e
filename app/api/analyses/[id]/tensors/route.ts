import { replyBody, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (_request: Request, { params }: Context) =>
  respond(async () => replyBody(service().analysisTensors((await params).id)));
