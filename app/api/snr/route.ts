import { SnrRequestSchema } from '@/lib/api/analyses';
import { AnalysisQuerySchema } from '@/lib/api/causal';
import { readBody, readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const POST = (request: Request) =>
  respond(async () => {
    const { run } = readQuery(request, AnalysisQuerySchema);
    const task = { kind: 'snr', ...(await readBody(request, SnrRequestSchema)) } as const;
    const { id } = await service().createAnalysis(task, run);
    return reply({ id }, 202);
  });
