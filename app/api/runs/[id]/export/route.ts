import { ExportQuerySchema } from '@/lib/api/export';
import { LensQuerySchema, MapQuerySchema, RolloutQuerySchema, SignalQuerySchema } from '@/lib/api/schemas';
import {
  encodeNumbers,
  lensNumbers,
  mapNumbers,
  readQuery,
  respond,
  rolloutNumbers,
  service,
  signalNumbers,
} from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

async function numbersOf(request: Request, id: string) {
  const { what, model = 0 } = readQuery(request, ExportQuerySchema);
  const run = await service().recall(id);
  if (what === 'map') {
    const query = readQuery(request, MapQuerySchema);
    return mapNumbers(run, run.models[model], query, await service().map(id, query, request.signal));
  }
  if (what === 'rollout') {
    const query = readQuery(request, RolloutQuerySchema);
    return rolloutNumbers(run, run.models[model], query, await service().rollout(id, query, request.signal));
  }
  if (what === 'lens') {
    const query = readQuery(request, LensQuerySchema);
    return lensNumbers(run, run.models[model], await service().lens(id, query));
  }
  const query = readQuery(request, SignalQuerySchema);
  return signalNumbers(run, run.models[model], await service().signal(id, query));
}

export const GET = (request: Request, { params }: Context) =>
  respond(async () => {
    const { id } = await params;
    const { format } = readQuery(request, ExportQuerySchema);
    const numbers = await numbersOf(request, id);
    const file = `statescope-${id}-${numbers.metadata.model}-${numbers.name}.${format}`.replaceAll(/[^\w.-]+/g, '-');
    return new Response(encodeNumbers(numbers, format), {
      headers: { 'content-disposition': `attachment; filename="${file}"`, 'cache-control': 'no-store' },
    });
  });
