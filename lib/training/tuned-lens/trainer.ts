import { residualsOf, type Translator } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { addGradients, type TranslatorGradient } from './gradients';
import { NESTEROV_DEFAULTS, type NesterovOptions, nesterovStep, type Trained } from './nesterov';

export interface TunedLensOptions extends NesterovOptions {
  /** Rounded to whole chunks, at least one. */
  readonly tokensPerStep: number;
  /** Of the order of the chunks, which is new in every pass. */
  readonly seed: number;
}

/** The settings of the paper's tuned lenses (equations D). */
export const TUNED_LENS_DEFAULTS: TunedLensOptions = { ...NESTEROV_DEFAULTS, tokensPerStep: 2 ** 18, seed: 42 };

export interface TunedLensReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** Mean KL(final ‖ lens) over the tokens, nats, of every block's translator, before the step. */
  readonly losses: readonly number[];
  readonly gradientNorm: number;
}

/** What a resumed run needs, parameters in the order 0.weight, 0.bias, 1.weight, … */
export interface TunedLensState {
  readonly step: number;
  readonly values: readonly Float32Array[];
  readonly velocities: readonly Float32Array[];
}

export interface TunedLensTrainer {
  readonly stepsDone: number;
  readonly translators: readonly Translator[];
  step(): TunedLensReport;
  state(): TunedLensState;
  /** @throws InputError for the state of another model. */
  restore(state: TunedLensState): void;
}

/**
 * Fits one translator per block so that head(norm_f(h + W h + b)) says what the model says in the end: identity start,
 * SGD with Nesterov momentum on the sum over blocks of the mean KL(final ‖ lens), no token shift (equations D). The
 * model is constant. Cost of a step: one forward pass and (blocks · 3) unembeddings of its tokens; memory 12 bytes a
 * parameter.
 * @param chunks equally long rows of token ids
 * @throws InputError where there is no chunk
 */
export function createTunedLensTrainer(
  model: Model,
  chunks: readonly (readonly number[])[],
  options: TunedLensOptions,
): TunedLensTrainer {
  if (chunks.length === 0)
    throw new InputError('The data are shorter than one chunk: give more text or a smaller --length.');
  const { d, blocks } = model.config;
  const trained = (size: number): Trained => ({
    value: new Float32Array(size),
    gradient: new Float32Array(size),
    velocity: new Float32Array(size),
  });
  const parameters = blocks.map(() => ({ weight: trained(d * d), bias: trained(d) }));
  const all = parameters.flatMap(({ weight, bias }) => [weight, bias]);
  const view = (part: 'value' | 'gradient'): (Translator & TranslatorGradient)[] =>
    parameters.map(({ weight, bias }) => ({ weight: weight[part], bias: bias[part] }));
  const [translators, gradients] = [view('value'), view('gradient')];
  const perStep = Math.max(1, Math.round(options.tokensPerStep / chunks[0].length));
  const tokens = perStep * chunks[0].length;
  let stepsDone = 0;

  return {
    get stepsDone() {
      return stepsDone;
    },
    translators,
    step() {
      const losses = blocks.map(() => 0);
      for (let k = 0; k < perStep; k++) {
        const chunk = chunks[chunkAt(stepsDone * perStep + k, chunks.length, options.seed)];
        const parts = addGradients(model, residualsOf(model, [chunk]), translators, gradients, tokens);
        parts.forEach((part, block) => {
          losses[block] += part;
        });
      }
      const gradientNorm = nesterovStep(all, stepsDone, options);
      stepsDone += 1;
      return { step: stepsDone, losses, gradientNorm };
    },
    state: () => ({
      step: stepsDone,
      values: all.map(({ value }) => value),
      velocities: all.map(({ velocity }) => velocity),
    }),
    restore({ step, values, velocities }) {
      const fits = (stored: readonly Float32Array[]) =>
        stored.length === all.length && stored.every((part, k) => part.length === all[k].value.length);
      if (!fits(values) || !fits(velocities))
        throw new InputError(`The stored run is not of ${model.name}: resume with the model that it was started with.`);
      all.forEach(({ value, velocity }, k) => {
        value.set(values[k]);
        velocity.set(velocities[k]);
      });
      stepsDone = step;
    },
  };
}

/** Which chunk is the n-th to be read: every pass goes through all of them in an order of its own. */
function chunkAt(n: number, count: number, seed: number): number {
  const pass = Math.floor(n / count);
  return passOrder(pass, count, seed)[n % count];
}

let remembered: { key: string; order: readonly number[] } = { key: '', order: [] };

function passOrder(pass: number, count: number, seed: number): readonly number[] {
  const key = `${pass}/${count}/${seed}`;
  if (remembered.key !== key) {
    const chunks = Array.from({ length: count }, (_, k) => k);
    remembered = { key, order: new Random(seed + pass * 0x1_0000_0000).sample(chunks, count) };
  }
  return remembered.order;
}
