import type * as tf from '@tensorflow/tfjs';
import { type Memory, silent, type Tap } from '@/lib/architectures/tap';

export { type Memory, silent, type Tap } from '@/lib/architectures/tap';

/**
 * Reads or replaces the tensor at a hook point. Returning a tensor of the same shape replaces it for
 * everything downstream; returning nothing leaves it as it is.
 */
export type HookFunction = (value: tf.Tensor, name: string) => tf.Tensor | undefined | void;

/** A hook name with `*` wildcards (`blocks.*.hook_delta`) and what to call there. */
export type Hook = readonly [pattern: string, hook: HookFunction];

/**
 * Turns a comma-free hook pattern into a test; `*` stands for any run of characters. Each part is taken where it first
 * occurs, so that no pattern, however many stars it has, takes more than one pass over the name.
 */
export function matcher(pattern: string): (name: string) => boolean {
  if (!pattern.includes('*')) return (name) => name === pattern;
  const parts = pattern.split('*');
  const first = parts[0];
  const last = parts[parts.length - 1];
  const between = parts.slice(1, -1).filter(Boolean);
  return (name) => {
    const end = name.length - last.length;
    if (end < first.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    let from = first.length;
    for (const part of between) {
      const found = name.indexOf(part, from);
      if (found < 0 || found + part.length > end) return false;
      from = found + part.length;
    }
    return true;
  };
}

/** The same, under which two mixers may run as one. */
export const joining: Tap = { ...silent, joins: true, scope: () => joining };

/**
 * A tap over a list of hooks. Cost: one pattern test per hook and point, remembered per name.
 * @throws when a replacement changes the shape.
 */
export function listen(hooks: readonly Hook[], prefix = '', memory = new Map<string, HookFunction[]>()): Tap {
  if (hooks.length === 0) return silent;
  const compiled = hooks.map(([pattern, run]) => ({ test: matcher(pattern), run }));
  const tapAt = (scope: string): Tap => {
    const full = (point: string) => (scope ? `${scope}.${point}` : point);
    const of = (name: string) => {
      let found = memory.get(name);
      if (!found) {
        found = compiled.filter(({ test }) => test(name)).map(({ run }) => run);
        memory.set(name, found);
      }
      return found;
    };
    return {
      wants: (point) => of(full(point)).length > 0,
      at: (point, value) => {
        const name = full(point);
        let current = value;
        for (const run of of(name)) {
          const replaced = run(current, name);
          if (!replaced) continue;
          if (replaced.shape.join() !== value.shape.join())
            throw new Error(
              `The hook on ${name} returned shape [${replaced.shape}]; the point has shape [${value.shape}].`,
            );
          current = replaced as typeof value;
        }
        return current;
      },
      scope: (below) => tapAt(full(below)),
    };
  };
  return tapAt(prefix);
}

/** The same observers, with a memory to decode with. */
export function withMemory(tap: Tap, memory: Memory): Tap {
  return {
    memory,
    wants: tap.wants,
    at: tap.at,
    scope: (prefix) =>
      withMemory(tap.scope(prefix), {
        position: memory.position,
        recall: (name) => memory.recall(`${prefix}.${name}`),
        store: (name, value) => memory.store(`${prefix}.${name}`, value),
      }),
  };
}
