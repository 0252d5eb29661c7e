import { reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const POST = (_request: Request, { params }: Context) =>
  respond(async () => reply(await service().resumeRun((await params).id), 202));
