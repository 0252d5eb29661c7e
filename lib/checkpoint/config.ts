/** From any supported config.json to one ModelConfig (equations B). */

import type { StoredShapes } from './config-common';
import { readHf } from './config-hf';
import { readOfficial } from './config-official';
import { readStatescope } from './config-statescope';
import { Fields, type JsonObject } from './json';
import { InputError, type ModelConfig } from './types';

/**
 * Reads a parsed config.json. Stray fields are ignored; missing ones take the class defaults of the format; the number
 * of vocabulary rows is that of the stored embedding, padding included.
 * @throws InputError for another architecture, an unsupported setting or sizes that contradict each other
 */
export function parseConfig(json: JsonObject, shapes: StoredShapes, label = 'config.json'): ModelConfig {
  const input = { fields: new Fields(json, label), shapes };
  const type = json.model_type;
  if (type === 'statescope') return readStatescope(input);
  if (type === 'mamba' || type === 'falcon_mamba' || type === 'mamba2') return readHf(input, type);
  if (type === undefined && json.d_model !== undefined && json.n_layer !== undefined) return readOfficial(input);
  throw new InputError(
    `${label}: model_type ${JSON.stringify(type)} is not supported; Statescope reads mamba, falcon_mamba, mamba2 (also diffmamba), official state-spaces and statescope checkpoints.`,
  );
}
