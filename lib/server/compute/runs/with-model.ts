import type { Model } from '@/lib/models';
import { ServiceError } from '../../errors';
import { changeSince, type LoadedModels } from '../models/loaded-models';
import type { ModelRecord } from './record';

/**
 * Runs `work` with the model that computed a record.
 * @throws ServiceError 409 when the model's files or the format of its weights are no longer those that computed the run.
 */
export function withModelOf<T>(
  models: LoadedModels,
  { request: { name }, fingerprint }: ModelRecord,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  return models.use(name, (model, current) => {
    const change = changeSince(fingerprint, current);
    if (!change) return work(model);
    throw new ServiceError(409, `${name} no longer gives the numbers of this run: ${change}.`, 'Run the prompt again.');
  });
}
