import { directLogitAttribution } from '@/lib/analysis';
import type { AttributionReply, ReadingQuery } from '@/lib/api/readings';
import { ServiceError } from '../../errors';
import type { LoadedModels } from '../models/loaded-models';
import { checkTarget, positionOf } from './questions';
import type { ModelRecord } from './record';
import { withModelOf } from './with-model';

const CONVENTION = 'contribution to the logit with the final norm and every RMS after a difference frozen';

/** Logits of a run's prompt taken apart. */
export class Attributions {
  constructor(private readonly models: LoadedModels) {}

  /** Direct logit attribution. Cost: one forward pass. @throws ServiceError 409, 422. */
  attribution(record: ModelRecord, query: ReadingQuery<'attribution'>): Promise<AttributionReply> {
    const { request } = record;
    const { target = request.target.id } = query;
    checkTarget(record, target);
    const position = positionOf(record, query.position ?? request.position);
    return withModelOf(this.models, record, async (model) => {
      const ids = request.tokens.map(({ id }) => id);
      const found = directLogitAttribution(model, ids, { targets: [target], positions: [position] });
      if (![found.logits[0], ...found.contributions].every(Number.isFinite))
        throw new ServiceError(
          422,
          `The contributions to the logit of token ${target} at ${position} are not finite: the model's weights or activations hold NaN or infinity.`,
          'Look for them with "run --names all".',
        );
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
}
