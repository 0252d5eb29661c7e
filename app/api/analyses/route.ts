import { AnalysisQuerySchema, AnalysisRequestSchema } from '@/lib/api/causal';
import { readBody, readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => {
    const { run } = readQuery(request, AnalysisQuerySchema);
    const { id, note } = await service().createAnalysis(await readBody(request, AnalysisRequestSchema), run);
    return reply({ id, note }, 202);
  });
