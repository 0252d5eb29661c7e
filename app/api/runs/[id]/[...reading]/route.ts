import { answerReading, respond } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

interface Context {
  readonly params: Promise<{ id: string; reading: string[] }>;
}

/** Every reading of a run: `lib/api/readings.ts` lists them. */
export const GET = (request: Request, { params }: Context) =>
  respond(async () => {
    const { id, reading } = await params;
    return answerReading(request, id, reading.join('/'));
  });
