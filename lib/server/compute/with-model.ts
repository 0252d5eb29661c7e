import type { Model } from '@/lib/models';
import { ServiceError } from '../errors';
import type { LoadedModels } from './loaded-models';
import type { ModelRecord } from './store';

/**
 * Runs `work` with the model that computed a record.
 * @throws ServiceError 409 when the model's files are no longer those that computed the run.
 */
export function withModelOf<T>(
  models: LoadedModels,
  { request: { name }, fingerprint }: ModelRecord,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  return models.use(name, (model, current) => {
    if (current === fingerprint) return work(model);
    throw new ServiceError(409, `The files of ${name} have changed since this run.`, 'Run the prompt again.');
  });
}
