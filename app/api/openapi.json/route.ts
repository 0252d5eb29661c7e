import { openApiDocument } from '@/lib/api/openapi';
import { reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = () => respond(() => reply(openApiDocument(service().version)));
