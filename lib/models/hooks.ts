import type * as tf from '@tensorflow/tfjs';

/**
 * Reads or replaces the tensor at a hook point. Returning a tensor of the same shape replaces it for
 * everything downstream; returning nothing leaves it as it is.
 */
export type HookFunction = (value: tf.Tensor, name: string) => tf.Tensor | undefined | void;

/** A hook name with `*` wildcards (`blocks.*.hook_delta`) and what to call there. */
export type Hook = readonly [pattern: string, hook: HookFunction];

/** What a mixer carries from one call to the next while decoding: past convolution inputs and its SSM state. */
export interface Memory {
  /** Tokens before the first one of this call. */
  readonly position: number;
  recall(name: string): tf.Tensor | undefined;
  store(name: string, value: tf.Tensor): void;
}

/** What a forward pass asks of its observers, one instance per block scope. */
export interface Tap {
  /** Present while decoding with state; names are relative to the scope. */
  readonly memory?: Memory;
  /** True when a hook or the cache asks for this point: only then must a fused kernel be taken apart. */
  wants(point: string): boolean;
  /** Passes a value through every hook of this point and returns what downstream computation must use. */
  at<T extends tf.Tensor>(point: string, value: T): T;
  /** The same tap below a prefix: `tap.scope('mixer_1').at('hook_delta', …)`. */
  scope(prefix: string): Tap;
}

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

/** A tap that nobody listens to. */
export const silent: Tap = { wants: () => false, at: (_point, value) => value, scope: () => silent };

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
