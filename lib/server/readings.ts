import type { ExportKind } from '@/lib/api/export';
import { type AskedReading, isReading, READINGS, type ReadingName, readingQuery } from '@/lib/api/readings';
import { ServiceError } from './errors';
import { NUMBERS, type Numbers } from './export/numbers';
import { reply, replyBody } from './http';
import type { Body } from './protocol';
import { service } from './service';

/** The question in a URL, not yet checked. */
const askedIn = <N extends ReadingName>(request: Request) =>
  Object.fromEntries(new URL(request.url).searchParams) as AskedReading<N>;

/** Answers `GET /api/runs/{id}/{reading}`. @throws ServiceError 404 for what cannot be read, and as `Service.read` does. */
export async function answerReading(request: Request, id: string, name: string): Promise<Response> {
  if (!isReading(name))
    throw new ServiceError(
      404,
      `A run has no "${name}" to read.`,
      `There are ${Object.keys(READINGS).join(', ')}, events and export.`,
    );
  const answer = await service().read(id, name, askedIn(request), request.signal);
  const { reply: sent } = READINGS[name];
  return sent.kind === 'json' ? reply(answer) : replyBody(answer as Body, sent);
}

/** One reading as numbers for other programs. @throws as {@link answerReading} does. */
export async function exported<N extends ExportKind>(request: Request, id: string, name: N): Promise<Numbers> {
  const asked = askedIn<N>(request);
  const body = await service().read(id, name, asked, request.signal);
  const run = await service().recall(id);
  const query = readingQuery(name, asked);
  return NUMBERS[name](run, run.models[query.model], query, body);
}
