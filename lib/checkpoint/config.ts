/** From any supported config.json to one ModelConfig (equations B). */

import type { StoredShapes } from './config-common';
import { type ConfigFamily, checkedFields } from './config-fields';
import { readHf } from './config-hf';
import { HYBRID_TYPES, readHybrid } from './config-hybrid';
import { readOfficial } from './config-official';
import { readStatescope } from './config-statescope';
import { Fields, type JsonObject } from './json';
import { InputError, type ModelConfig } from './types';

const HF_TYPES = ['mamba', 'falcon_mamba', 'mamba2'] as const;

/** What transformers calls its classes in `architectures`, by the model_type that they belong to. */
const CLASSES: readonly (readonly [RegExp, (typeof HF_TYPES)[number]])[] = [
  [/^FalconMamba/, 'falcon_mamba'],
  [/^Mamba2/, 'mamba2'],
  [/^Mamba(?!\d)/, 'mamba'],
];

/**
 * The type of a config: its model_type, unless it has none, or calls FalconMamba what it is a kind of; then `architectures`
 * says which classes wrote it.
 */
function typeOf(json: JsonObject, label: string, warn: (text: string) => void): unknown {
  const [written] = Array.isArray(json.architectures) ? json.architectures : [];
  const ofClass = CLASSES.find(([name]) => typeof written === 'string' && name.test(written))?.[1];
  const type = json.model_type ?? undefined;
  const given = typeof type === 'string' ? type.toLowerCase() : type;
  const isSilent = given === undefined && !isOfficial(json);
  if (ofClass === undefined || !(isSilent || (given === 'mamba' && ofClass === 'falcon_mamba'))) return given;
  warn(
    `${label}: model_type ${given === undefined ? 'is missing' : JSON.stringify(type)}, but architectures says ${written}; it is read as ${ofClass}.`,
  );
  return ofClass;
}

/** Relatives of what is read, and what they have beyond it. */
const NOT_READ: Readonly<Record<string, string>> = {
  zamba: 'its blocks share transformers that read the embedding beside the residual stream',
  zamba2: 'its blocks share transformers that read the embedding beside the residual stream',
};

const has = (json: JsonObject, ...fields: string[]) => fields.some((field) => (json[field] ?? undefined) !== undefined);

/** Sizes under the names of mamba_ssm, also where somebody has added a model_type. */
const isOfficial = (json: JsonObject): boolean =>
  has(json, 'd_model') &&
  !has(json, 'hidden_size', 'num_hidden_layers') &&
  (!has(json, 'model_type') || has(json, 'n_layer'));

/** What people write in the place of a model_type that mamba_ssm has not. */
const OFFICIAL_TYPE = 'mamba_ssm';

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
  const type = typeOf(json, label, warn);
  const inputOf = (family: ConfigFamily) => ({
    fields: new Fields(checkedFields(json, family, label, warn), label),
    shapes,
  });
  if (type === 'statescope') return readStatescope(inputOf('statescope'));
  const hf = HF_TYPES.find((known) => known === type);
  if ((type === undefined || hf || type === OFFICIAL_TYPE) && isOfficial(json))
    return readOfficial(inputOf('official'), warn);
  if (hf) return readHf(inputOf(hf), hf);
  const hybrid = HYBRID_TYPES.find((known) => known === type);
  if (hybrid) return readHybrid(inputOf(hybrid), hybrid);
  if (type === undefined)
    throw new InputError(
      `${label} has neither a model_type (mamba, falcon_mamba, mamba2, statescope) nor d_model and n_layer as official state-spaces checkpoints have; add what is missing.`,
    );
  const why = Object.hasOwn(NOT_READ, String(type)) ? ` (${NOT_READ[String(type)]})` : '';
  throw new InputError(
    `${label}: model_type ${JSON.stringify(json.model_type)} is not supported${why}; Statescope reads mamba, falcon_mamba, mamba2 (also diffmamba), ${HYBRID_TYPES.join(', ')}, official state-spaces and statescope checkpoints.`,
  );
}
