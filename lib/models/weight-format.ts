import { InputError } from '@/lib/checkpoint/types';
import { WEIGHT_CHOICES, type WeightChoice } from '@/lib/vocabulary';

/** How matrices are kept where nobody says otherwise: `STATESCOPE_WEIGHTS`, else as the file has them. @throws InputError */
export function defaultWeightFormat(): WeightChoice {
  const wanted = process.env.STATESCOPE_WEIGHTS || 'file';
  const format = WEIGHT_CHOICES.find((name) => name === wanted);
  if (format) return format;
  throw new InputError(`STATESCOPE_WEIGHTS must be file, float32 or bf16, not "${wanted}".`);
}
