import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError, readSafetensors, readTorchFile } from '@/lib/checkpoint';
import type { Translator } from './lens';

interface Stored {
  readonly shape: readonly number[];
  readonly data: unknown;
}

/** Where a model's tuned lens lies, inside the model's folder. */
export const TUNED_LENS_FOLDER = 'tuned-lens';

/**
 * Reads a tuned lens in the layout of the tuned-lens library: `0.weight` [d,d], `0.bias` [d], `1.weight`, …, in
 * params.safetensors or params.pt; one translator per block.
 * @param d width of the residual stream
 * @throws InputError where the folder holds no lens, or one of another width or with a layer missing.
 */
export async function readTunedLens(folder: string, d: number): Promise<Translator[]> {
  const tensors = await readParameters(folder);
  const read = (name: string, shape: readonly number[]) => {
    const tensor = tensors.get(name);
    if (tensor?.data instanceof Float32Array && tensor.shape.join() === shape.join()) return tensor.data;
    const found = tensor ? `is of shape [${tensor.shape}]` : 'is missing';
    throw new InputError(`The tuned lens ${folder} does not fit: ${name} must be of shape [${shape}] and ${found}.`);
  };
  return Array.from({ length: Math.ceil(tensors.size / 2) }, (_, k) => ({
    weight: read(`${k}.weight`, [d, d]),
    bias: read(`${k}.bias`, [d]),
  }));
}

async function readParameters(folder: string): Promise<ReadonlyMap<string, Stored>> {
  const [safetensors, torch] = ['params.safetensors', 'params.pt'].map((name) => join(folder, name));
  if (existsSync(safetensors)) return readSafetensors(safetensors);
  if (existsSync(torch)) return readTorchFile(torch);
  throw new InputError(`${folder} is not a tuned lens: it has neither params.safetensors nor params.pt.`);
}

const nats = z.number().nonnegative();

const HeldOutSchema = z.object({
  tokens: z.number().int().positive(),
  layers: z.array(z.object({ kl: nats, logit_lens_kl: nats, converged: z.boolean() })),
});

/** How well a lens does on text that it was not fitted to, by layer: mean KL(final ‖ lens) over the tokens, nats. */
export type HeldOut = z.infer<typeof HeldOutSchema>;

/** What the lens's config.json says of held-out text; null where it says nothing: other programs do not. @throws InputError */
export async function readHeldOut(folder: string): Promise<HeldOut | null> {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return null;
  try {
    const { held_out } = JSON.parse(await readFile(path, 'utf8'));
    return held_out === undefined ? null : HeldOutSchema.parse(held_out);
  } catch {
    throw new InputError(
      `${path} is damaged, or its "held_out" is not what "statescope tuned-lens" writes: fit again.`,
    );
  }
}

/** A lens this close to the final output needs no fit: the last block's logit lens is that output. */
const CLOSE_NATS = 0.01;

/** Why a layer's translator is no lens to read by; undefined where it is one. */
export function lensFault({ kl, logit_lens_kl, converged }: HeldOut['layers'][number]): string | undefined {
  if (kl > CLOSE_NATS && kl >= logit_lens_kl) return 'no better than the logit lens';
  return converged ? undefined : 'not converged';
}

/** One sentence for each layer that is not fitted, and one where nothing is recorded. */
export function lensFaults(heldOut: HeldOut | null): string[] {
  if (!heldOut) return ['Held-out KL of this tuned lens: not recorded.'];
  return heldOut.layers.flatMap((layer, k) => {
    const fault = lensFault(layer);
    return fault
      ? [
          `Layer ${k} of this tuned lens is not fitted: ${fault} (held-out KL ${layer.kl.toPrecision(3)} nats, logit lens ${layer.logit_lens_kl.toPrecision(3)}).`,
        ]
      : [];
  });
}
