import type { RunEstimate } from '@/lib/api/runs';
import type { RunRequest } from '@/lib/api/schemas';
import type { Settings } from '../settings';
import type { Catalogue } from './catalogue';
import { activationBytes, stepsOf, workLeft } from './estimate';
import type { LoadedModels } from './loaded-models';
import type { Pace } from './pace';
import type { Prompts } from './prompts';

interface Tools {
  readonly catalogue: Catalogue;
  readonly models: LoadedModels;
  readonly prompts: Prompts;
  readonly pace: Pace;
  readonly settings: Settings;
}

/** What a run would take. Touches no weights. @throws ServiceError as the run itself would be refused. */
export async function estimateOf(request: RunRequest, tools: Tools): Promise<RunEstimate> {
  const { catalogue, models, prompts, pace, settings } = tools;
  const estimate = { activationBytes: 0, weightBytes: 0, limitBytes: settings.runBytes };
  let [steps, work] = [0, 0];
  const toLoad = new Set(request.models.filter((name) => !models.has(name)));
  for (const { name, tokens } of await prompts.prepare(request)) {
    const config = await catalogue.config(name);
    estimate.activationBytes += activationBytes(config, tokens.length);
    steps += stepsOf(config);
    work += workLeft(config, tokens.length);
  }
  for (const name of toLoad) estimate.weightBytes += 4 * (await catalogue.parameters(name));
  return { ...estimate, seconds: pace.expect({ steps, work }) };
}
