import { allocationFrom, classesOf, summariseAllocation } from '@/lib/analysis';
import type { Allocation, ReadingQuery } from '@/lib/api/readings';
import { TOKEN_CLASSES } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import { drained, type Withdrawn } from '../cancelling';
import type { LoadedModels } from '../models/loaded-models';
import { checkTarget, positionOf } from './readouts';
import { isComplete, type ModelRecord } from './record';
import { withModelOf } from './with-model';

/**
 * What every layer of a run reads at one token, by class of token. Cost: each block once more over the tokens up to that one, and
 * one row of its operator.
 * @throws ServiceError 409 before all layers are there, 422 for a question without a needle or outside the run.
 */
export async function allocationOf(
  models: LoadedModels,
  record: ModelRecord,
  query: ReadingQuery<'allocation'>,
  withdrawn: Withdrawn,
): Promise<Allocation> {
  const { request, config, residuals } = record;
  const { target = request.target.id, needle = request.needle, foil, competing = [], question = [] } = query;
  checkTarget(record, target);
  if (foil !== undefined) checkTarget(record, foil);
  if (!needle)
    throw new ServiceError(422, 'The run has no needle: say which tokens decide the answer.', 'Give needle=start,end.');
  if (!isComplete(record))
    throw new ServiceError(409, `Allocation needs all layers of ${request.name}; wait for them.`);
  const position = positionOf(record, query.position ?? request.position);
  const L = position + 1;
  const streams = residuals.map((stream) => stream.subarray(0, L * config.d));
  const tokens = request.tokens.map(({ id }) => id);
  const spans = { needle, competing, question };
  const reads = await withModelOf(models, record, (model) =>
    drained(allocationFrom(model, { streams, L }, { tokens, target, foil, position, ...spans }), withdrawn),
  );
  const layers = reads.map((each) => {
    const layer = summariseAllocation([[each]], undefined);
    return { ...layer, chance: Number.isFinite(layer.chance) ? layer.chance : null };
  });
  return { position, classes: Array.from(classesOf(L, spans), (place) => TOKEN_CLASSES[place]), layers };
}
