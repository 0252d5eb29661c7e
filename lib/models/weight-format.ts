import { InputError } from '@/lib/checkpoint/types';
import { WEIGHT_FORMATS, type WeightFormat } from '@/lib/vocabulary';

/** How matrices are kept where nobody says otherwise: `STATESCOPE_WEIGHTS`, else float32. @throws InputError */
export function defaultWeightFormat(): WeightFormat {
  const wanted = process.env.STATESCOPE_WEIGHTS || 'float32';
  const format = WEIGHT_FORMATS.find((name) => name === wanted);
  if (format) return format;
  throw new InputError(`STATESCOPE_WEIGHTS must be ${WEIGHT_FORMATS.join(' or ')}, not "${wanted}".`);
}
