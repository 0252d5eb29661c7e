import { eventStream, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (request: Request, { params }: Context) =>
  respond(async () => {
    const { id } = await service().recall((await params).id);
    return eventStream((listener) => service().subscribe(id, listener), request.signal, service().ended);
  });
