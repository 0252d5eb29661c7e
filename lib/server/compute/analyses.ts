import { setImmediate as turn } from 'node:timers/promises';
import { compare, directLogitAttribution, type SnrSamples, snrSteps, summarise } from '@/lib/analysis';
import type { AttributionQuery, AttributionReply, SnrReply, SnrRequest } from '@/lib/api/analyses';
import { Random } from '@/lib/data/random';
import { parseSnrExamples } from '@/lib/data/snr-examples';
import { ServiceError } from '../errors';
import type { Settings } from '../settings';
import type { Catalogue } from './catalogue';
import type { LoadedModels } from './loaded-models';
import { checkTarget, positionOf } from './readouts';
import type { ModelRecord } from './store';
import { tunedLensOf } from './tuned-lens';

const CONVENTION = 'contribution to the logit with the final norm and every RMS after a difference frozen';

/** Analyses that run the model anew: logits taken apart, and SNR over a batch of prompts. */
export class Analyses {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly models: LoadedModels,
    private readonly settings: Settings,
  ) {}

  /** Direct logit attribution of a run's prompt. Cost: one forward pass. @throws ServiceError 409, 422. */
  attribution(record: ModelRecord, query: AttributionQuery): Promise<AttributionReply> {
    const { request } = record;
    const { target = request.target.id } = query;
    checkTarget(record, target);
    const position = positionOf(record, query.position ?? request.position);
    return this.models.use(request.name, async (model, fingerprint) => {
      if (fingerprint !== record.fingerprint)
        throw new ServiceError(
          409,
          `The files of ${request.name} have changed since this run.`,
          'Run the prompt again.',
        );
      const ids = request.tokens.map(({ id }) => id);
      const found = directLogitAttribution(model, ids, { targets: [target], positions: [position] });
      return {
        target,
        position,
        logit: found.logits[0],
        components: found.components.map((component, c) => ({ ...component, contribution: found.contributions[c] })),
        blocks: [...found.blocks],
        convention: CONVENTION,
        reconstruction_error: found.error,
      };
    });
  }

  /**
   * SNR per layer over a batch, with a paired test for two models. The event loop turns after every example.
   * @throws ServiceError 404, 413, 422; InputError.
   */
  async snr(request: SnrRequest): Promise<SnrReply> {
    const results: { model: string; samples: SnrSamples }[] = [];
    for (const model of request.models) results.push({ model, samples: await this.#samples(model, request) });
    const resampling = () => ({ random: new Random(request.seed), resamples: request.resamples });
    const [first, second] = results;
    return {
      lens: request.lens,
      examples: first.samples.n,
      models: results.map(({ model, samples }) => ({ model, rows: summarise(samples, resampling()).map(finite) })),
      difference: second ? compare(first.samples, second.samples, resampling()).map(finite) : null,
    };
  }

  async #samples(name: string, { examples, metrics, lens }: SnrRequest): Promise<SnrSamples> {
    const { tokenizer } = await this.catalogue.tokenizer(name);
    const lines = examples.map((example) => JSON.stringify(example)).join('\n');
    const read = await parseSnrExamples(lines, 'the examples', async () => tokenizer);
    const { maxTokens } = this.settings;
    const long = read.findIndex(({ tokens }) => tokens.length > maxTokens);
    if (long >= 0)
      throw new ServiceError(
        422,
        `Example ${long} is ${read[long].tokens.length} tokens long for ${name}; the limit is ${maxTokens}.`,
        'Shorten it, or raise STATESCOPE_MAX_TOKENS if there is memory for it.',
      );
    return this.models.use(name, async (model) => {
      const translators = lens === 'tuned' ? await tunedLensOf(this.catalogue, model) : undefined;
      const steps = snrSteps(model, read, { metrics, translators });
      try {
        let step = steps.next();
        while (!step.done) {
          await turn();
          step = steps.next();
        }
        return step.value;
      } finally {
        steps.return(undefined as never);
      }
    });
  }
}

/** JSON has no NaN. */
function finite<T extends object>(row: T): { [K in keyof T]: T[K] extends number ? T[K] & number : T[K] } {
  const entries = Object.entries(row).map(([key, value]) => [key, Number.isNaN(value) ? null : value]);
  return Object.fromEntries(entries);
}
