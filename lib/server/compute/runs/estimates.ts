import type { RunRequest } from '@/lib/api/schemas';
import type { Measure } from '../../readers/protocol';
import type { Settings } from '../../settings';
import type { Catalogue } from '../models/catalogue';
import { type Cost, runCost, sum } from './costs';
import { activationBytes } from './estimate';
import type { Prompts } from './prompts';

interface Tools {
  readonly catalogue: Catalogue;
  readonly prompts: Prompts;
  readonly settings: Settings;
}

/** What a run would take. Touches no weights. @throws ServiceError as the run itself would be refused. */
export async function measureOf(request: RunRequest, { catalogue, prompts, settings }: Tools): Promise<Measure> {
  let bytes = 0;
  const costs: Cost[] = [];
  const weights = new Map<string, Measure['weights'][number]>();
  for (const { name, tokens } of await prompts.prepare(request)) {
    const config = await catalogue.config(name);
    bytes += activationBytes(config, tokens.length);
    costs.push(runCost(config, tokens.length));
    const counts = await catalogue.weightCounts(name, settings.weights);
    weights.set(name, { name, tokens: tokens.length, ...counts });
  }
  return { activationBytes: bytes, limitBytes: settings.runBytes, cost: sum(costs), weights: [...weights.values()] };
}
