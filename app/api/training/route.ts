import { TrainingQuerySchema } from '@/lib/api/training';
import { readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = (request: Request) =>
  respond(async () => reply(await service().training(readQuery(request, TrainingQuerySchema).folder)));
