import { setImmediate as turn } from 'node:timers/promises';
import type { GenerationRequest } from '@/lib/api/generation';
import { generationSteps, nextToken } from '@/lib/generation';
import type { ChosenToken, PreparedGeneration } from '../../prepared';
import type { WorkerMethods } from '../../protocol';
import type { Catalogue } from '../models/catalogue';
import type { LoadedModels } from '../models/loaded-models';
import type { Prompts } from './prompts';

/** Turns the prompt into token ids. Touches no weights. @throws ServiceError 404, 413, 422; InputError. */
export async function prepareGeneration(
  { prompt, continuation, top_k, top_p, ...request }: GenerationRequest,
  { catalogue, prompts }: { readonly catalogue: Catalogue; readonly prompts: Prompts },
): Promise<PreparedGeneration> {
  const tokens = await prompts.ids(request.model, prompt, continuation);
  const { V } = await catalogue.config(request.model);
  const { temperature, seed } = request;
  const topK = top_k === undefined ? undefined : Math.min(top_k, V);
  // A model without words is refused before it waits.
  await catalogue.tokenizer(request.model);
  return {
    model: request.model,
    tokens,
    maxNewTokens: request.max_new_tokens,
    alternatives: request.alternatives,
    sampling: { temperature, topK, topP: top_p, seed },
  };
}

/** Continues a prompt token by token; the event loop turns between two of them, where `cancel[0] ≠ 0` ends it. */
export function generate(
  { generation, cancel }: WorkerMethods['generate']['argument'],
  models: LoadedModels,
  tell: (token: ChosenToken) => void,
): Promise<'done' | 'cancelled'> {
  const { model: name, tokens, maxNewTokens, sampling, alternatives } = generation;
  return models.use(name, async (model) => {
    for (const {
      done,
      chosen,
      logits: [logits],
    } of generationSteps(model, [tokens], { maxNewTokens, sampling })) {
      const [id] = chosen;
      tell({ index: done - 1, id, ...nextToken(logits, id, alternatives) });
      await turn();
      if (Atomics.load(cancel, 0) !== 0) return 'cancelled';
      if (done === maxNewTokens) break;
    }
    return 'done';
  });
}
