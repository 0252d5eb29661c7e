import { ModelFolderSchema, TokenizerRequestSchema } from '@/lib/api/schemas';
import { readBody, readQuery, reply, respond, service } from '@/lib/server';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

export const GET = () => respond(async () => reply(await service().models()));

export const POST = (request: Request) =>
  respond(async () => reply(await service().addFolder((await readBody(request, ModelFolderSchema)).folder)));

export const PATCH = (request: Request) =>
  respond(async () => reply(await service().chooseTokenizer(await readBody(request, TokenizerRequestSchema))));

export const DELETE = (request: Request) =>
  respond(async () => reply(await service().removeFolder(readQuery(request, ModelFolderSchema).folder)));
