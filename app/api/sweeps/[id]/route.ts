import { reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (_request: Request, { params }: Context) =>
  respond(async () => reply(await service().sweep((await params).id)));

export const DELETE = (_request: Request, { params }: Context) =>
  respond(async () => reply(await service().cancelSweep((await params).id)));
