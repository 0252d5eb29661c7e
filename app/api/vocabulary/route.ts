import { VocabularyQuerySchema } from '@/lib/api/schemas';
import { readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = (request: Request) =>
  respond(async () => {
    const { model, q, limit } = readQuery(request, VocabularyQuerySchema);
    return reply({ tokens: await service().vocabulary(model, q, limit) });
  });
