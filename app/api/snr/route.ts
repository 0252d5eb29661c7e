import { SnrRequestSchema } from '@/lib/api/analyses';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => {
    const { id } = await service().createAnalysis({ kind: 'snr', ...(await readBody(request, SnrRequestSchema)) });
    return reply({ id }, 202);
  });
