import type { RunRequest } from '@/lib/api/schemas';
import type { Measure } from '../../readers/protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import { activationBytes, stepsOf, workLeft } from './estimate';
import type { Prompts } from './prompts';

interface Tools {
  readonly catalogue: Catalogue;
  readonly prompts: Prompts;
  readonly settings: Settings;
}

/** What a run would take. Touches no weights. @throws ServiceError as the run itself would be refused. */
export async function measureOf(request: RunRequest, { catalogue, prompts, settings }: Tools): Promise<Measure> {
  let [bytes, steps, work] = [0, 0, 0];
  for (const { name, tokens } of await prompts.prepare(request)) {
    const config = await catalogue.config(name);
    bytes += activationBytes(config, tokens.length);
    steps += stepsOf(config);
    work += workLeft(config, tokens.length);
  }
  const weights: { name: string; bytes: number }[] = [];
  for (const name of new Set(request.models)) weights.push({ name, bytes: 4 * (await catalogue.parameters(name)) });
  return { activationBytes: bytes, limitBytes: settings.runBytes, steps, work, weights };
}
