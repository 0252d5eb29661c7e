import { AnalysisRequestSchema } from '@/lib/api/causal';
import { readBody, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => {
    const { id } = await service().createAnalysis(await readBody(request, AnalysisRequestSchema));
    return reply({ id }, 202);
  });
