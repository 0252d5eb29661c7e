import type { Model } from '@/lib/models';
import { ServiceError } from '../../errors';
import { changeSince, type LoadedModels } from '../models/loaded-models';
import { differenceTo } from './elsewhere';
import type { Elsewhere, ModelRecord } from './record';

/** Fingerprints of the models here that were found to be those that computed runs elsewhere. */
const recognised = new WeakMap<ModelRecord, string>();

/**
 * Runs `work` with the model that computed a record.
 * @throws ServiceError 409 when the model's files or the format of its weights are no longer those that computed the run, or
 * the run was computed elsewhere and its model is not here.
 */
export function withModelOf<T>(
  models: LoadedModels,
  record: ModelRecord,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  const { request, fingerprint, elsewhere } = record;
  const { name } = request;
  if (elsewhere) return withOwn(models, record, elsewhere, work);
  return models.use(name, (model, current) => {
    const change = changeSince(fingerprint, current);
    if (!change) return work(model);
    throw new ServiceError(409, `${name} no longer gives the numbers of this run: ${change}.`, 'Run the prompt again.');
  });
}

/** Of a run from elsewhere: whether a model of its name here is the same, its numbers say. */
async function withOwn<T>(
  models: LoadedModels,
  record: ModelRecord,
  { by, reads }: Elsewhere,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  const { name } = record.request;
  const without = `Without its weights there are the maps of the form s6, lens and signal of its target, and allocation at token ${reads.position}.`;
  let begun = false;
  try {
    return await models.use(name, (model, current) => {
      begun = true;
      if (recognised.get(record) !== current) {
        const other = differenceTo(model, record);
        if (other)
          throw new ServiceError(
            409,
            `The model ${name} here is another than the one that computed this run (${by}): ${whatDiffers(other)}.`,
            without,
          );
        recognised.set(record, current);
      }
      return work(model);
    });
  } catch (error) {
    if (begun || !(error instanceof ServiceError && error.status === 404)) throw error;
    const message = `This needs the weights of ${name}, which computed this run elsewhere (${by}) and are not here under that name.`;
    throw new ServiceError(409, message, without);
  }
}

const whatDiffers = ({ layer, share }: { readonly layer?: number; readonly share: number }): string =>
  layer === undefined
    ? 'its blocks are of other kinds or sizes'
    : `its residual stream after layer ${layer} differs by ${(100 * share).toPrecision(2)} %`;
