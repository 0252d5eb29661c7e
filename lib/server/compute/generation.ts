import { setImmediate as turn } from 'node:timers/promises';
import type { GeneratedToken, GenerationRequest } from '@/lib/api/generation';
import { generationSteps, nextToken } from '@/lib/generation';
import { answerToken } from '@/lib/tokenizer';
import type { PreparedGeneration, WorkerMethods } from '../protocol';
import type { Catalogue } from './catalogue';
import type { LoadedModels } from './loaded-models';
import { Pieces } from './pieces';
import type { Prompts } from './prompts';

/** Continues prompts token by token. */
export class Generations {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly prompts: Prompts,
  ) {}

  /** Turns the prompt into token ids. Touches no weights. @throws ServiceError 404, 413, 422; InputError. */
  async prepare({ prompt, continuation, top_k, top_p, ...request }: GenerationRequest): Promise<PreparedGeneration> {
    const tokens = await this.prompts.ids(request.model, prompt, continuation);
    const { V } = await this.catalogue.config(request.model);
    const { temperature, seed } = request;
    const topK = top_k === undefined ? undefined : Math.min(top_k, V);
    return {
      ...{ model: request.model, tokens, maxNewTokens: request.max_new_tokens, alternatives: request.alternatives },
      sampling: { temperature, topK, topP: top_p, seed },
    };
  }

  /** The event loop turns between two tokens, where `cancel[0] ≠ 0` ends it. */
  async run(
    { generation, cancel }: WorkerMethods['generate']['argument'],
    tell: (token: GeneratedToken) => void,
  ): Promise<'done' | 'cancelled'> {
    const { model: name, tokens, maxNewTokens, sampling, alternatives } = generation;
    const { tokenizer } = await this.catalogue.tokenizer(name);
    const pieces = new Pieces(tokenizer, tokens);
    return this.models.use(name, async (model) => {
      for (const { done, chosen, logits } of generationSteps(model, [tokens], { maxNewTokens, sampling })) {
        const [id] = chosen;
        const next = nextToken(logits, id, alternatives);
        const text = tokenizer.tokenText(id);
        const target = answerToken(tokenizer, text);
        tell({
          ...{ index: done - 1, id, text, piece: pieces.next(id) },
          as_target: target ? { id: target.id, text: target.text } : null,
          ...{ probability: next.probability, rank: next.rank, entropy: next.entropy },
          alternatives: next.alternatives.map((other) => ({ ...other, text: tokenizer.tokenText(other.id) })),
        });
        await turn();
        if (Atomics.load(cancel, 0) !== 0) return 'cancelled';
        if (done === maxNewTokens) break;
      }
      return 'done';
    });
  }
}
