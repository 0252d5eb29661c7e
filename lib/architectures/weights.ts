import type * as tf from '@tensorflow/tfjs';

/** Named parameters seen from one place in the model: `w('A_log')` inside `backbone.layers.0.mixer`. */
export interface Weights {
  (name: string): tf.Tensor;
  has(name: string): boolean;
  under(prefix: string): Weights;
}

/**
 * Names are put together once: a place seen twice from the same place is the same object.
 * @throws when a parameter that a block reads is not in the checkpoint.
 */
export function weightsOf(parameters: ReadonlyMap<string, tf.Tensor>, prefix = ''): Weights {
  const full = (name: string) => (prefix ? `${prefix}.${name}` : name);
  const places = new Map<string, Weights>();
  const read = (name: string) => {
    const found = parameters.get(full(name));
    if (!found) throw new Error(`The model has no parameter ${full(name)}.`);
    return found;
  };
  return Object.assign(read, {
    has: (name: string) => parameters.has(full(name)),
    under: (below: string) => {
      const place = places.get(below) ?? weightsOf(parameters, full(below));
      places.set(below, place);
      return place;
    },
  });
}
