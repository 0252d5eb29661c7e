import { ExportQuerySchema } from '@/lib/api/export';
import { encodeNumbers, exported, readQuery, respond } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string }>;
}

export const GET = (request: Request, { params }: Context) =>
  respond(async () => {
    const { id } = await params;
    const { what, format } = readQuery(request, ExportQuerySchema);
    const numbers = await exported(request, id, what);
    const file = `statescope-${id}-${numbers.metadata.model}-${numbers.name}.${format}`.replaceAll(/[^\w.-]+/g, '-');
    return new Response(encodeNumbers(numbers, format), {
      headers: { 'content-disposition': `attachment; filename="${file}"`, 'cache-control': 'no-store' },
    });
  });
