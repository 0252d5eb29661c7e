import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Outline, readTunedLens, type Translator, TUNED_LENS_FOLDER } from '@/lib/analysis';
import { ServiceError } from '../../errors';
import type { Catalogue } from './catalogue';

/** The translators of a model. @throws ServiceError 422 for a model without; InputError for a lens that does not fit. */
export async function tunedLensOf(catalogue: Catalogue, { name, config }: Outline): Promise<readonly Translator[]> {
  const folder = join((await catalogue.folder(name)).path, TUNED_LENS_FOLDER);
  if (existsSync(folder)) return readTunedLens(folder, config.d);
  throw new ServiceError(
    422,
    `The model ${name} has no tuned lens.`,
    `Fit one with "statescope tuned-lens --model ${name} --data FILE --out ${folder}".`,
  );
}
