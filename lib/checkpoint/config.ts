/** From any supported config.json to one ModelConfig (equations B). */

import type { StoredShapes } from './config-common';
import { type ConfigFamily, checkedFields } from './config-fields';
import { readHf } from './config-hf';
import { readOfficial } from './config-official';
import { readStatescope } from './config-statescope';
import { Fields, type JsonObject } from './json';
import { InputError, type ModelConfig } from './types';

const HF_TYPES = ['mamba', 'falcon_mamba', 'mamba2'] as const;

const has = (json: JsonObject, ...fields: string[]) => fields.some((field) => (json[field] ?? undefined) !== undefined);

/** Sizes under the names of mamba_ssm, also where somebody has added a model_type. */
const isOfficial = (json: JsonObject): boolean =>
  has(json, 'd_model') &&
  !has(json, 'hidden_size', 'num_hidden_layers') &&
  (!has(json, 'model_type') || has(json, 'n_layer'));

/**
 * Reads a parsed config.json. Every field is read, known to be harmless, or refused (`config-fields.ts`); missing ones take the
 * class defaults of the format; the number of vocabulary rows is that of the stored embedding, padding included.
 * @param warn told of what was passed over and of unusual names
 * @throws InputError for another architecture, an unsupported setting or sizes that contradict each other
 */
export function parseConfig(
  json: JsonObject,
  shapes: StoredShapes,
  label = 'config.json',
  warn: (text: string) => void = () => undefined,
): ModelConfig {
  const type = json.model_type;
  const inputOf = (family: ConfigFamily) => ({
    fields: new Fields(checkedFields(json, family, label, warn), label),
    shapes,
  });
  if (type === 'statescope') return readStatescope(inputOf('statescope'));
  const hf = HF_TYPES.find((known) => known === type);
  if ((type === undefined || hf) && isOfficial(json)) return readOfficial(inputOf('official'), warn);
  if (hf) return readHf(inputOf(hf), hf);
  if (type === undefined)
    throw new InputError(
      `${label} has neither a model_type (mamba, falcon_mamba, mamba2, statescope) nor d_model and n_layer as official state-spaces checkpoints have; add what is missing.`,
    );
  throw new InputError(
    `${label}: model_type ${JSON.stringify(type)} is not supported; Statescope reads mamba, falcon_mamba, mamba2 (also diffmamba), official state-spaces and statescope checkpoints.`,
  );
}
