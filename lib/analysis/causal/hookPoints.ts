import { type BlockConfig, InputError } from '@/lib/checkpoint/types';
import { scansOf } from '../s6Inputs';
import { type Mixer, pointNames } from './points';
import type { Outline } from './question';

const AROUND = ['hook_resid_pre', 'hook_normalized_input', 'hook_out_proj', 'hook_resid_post'];
const INPUT = ['hook_skip', 'hook_in_proj', 'hook_conv', 'hook_ssm_input'];
const SCAN = ['hook_delta_2', 'hook_delta', 'hook_A', 'hook_A_bar', 'hook_B', 'hook_B_bar', 'hook_C', 'hook_h'];
const READ = ['hook_y', 'hook_ssm_output', 'hook_after_skip'];
const S6 = ['hook_delta_1', ...SCAN, ...READ];
const SSD = [...INPUT, ...SCAN, ...READ, 'hook_gated_norm'];

/** Every hook point of a block with one row per token or per prompt, without `blocks.i.` (docs/hooks.md). */
export function hookPointsOf({ kind, subln }: BlockConfig): ReadonlySet<string> {
  const each = (points: readonly string[]) =>
    scansOf(kind).flatMap((mixer) => points.map((point) => `${mixer}.${point}`));
  const difference = ['hook_lambda', 'hook_diff', ...(subln === false || kind === 'diff_s6' ? [] : ['hook_subln'])];
  switch (kind) {
    case 'mamba1':
      return new Set([...AROUND, ...INPUT, ...S6]);
    case 'mamba2':
      return new Set([...AROUND, ...SSD]);
    case 'diff_mamba1':
      return new Set([...AROUND, ...each([...INPUT, ...S6, 'hook_out_proj']), ...difference]);
    case 'diff_mamba2':
      return new Set([...AROUND, ...each([...SSD, 'hook_out_proj']), ...difference]);
    case 'diff_mamba2e':
      return new Set([...AROUND, ...SSD, 'hook_mixer_out', ...difference]);
    case 'diff_s6':
      return new Set([...AROUND, ...INPUT, ...each(S6), ...difference]);
    case 'diff_s6_mamba2':
      return new Set([...AROUND, ...each(SSD), ...difference]);
  }
}

/** What decoding remembers of a block, by the names of its state. */
function memoryOf({ kind }: BlockConfig): ReadonlySet<string> {
  const scans = scansOf(kind).map((mixer) => (mixer === 'single' ? '' : `${mixer}.`));
  return new Set(scans.flatMap((prefix) => [`${prefix}ssm`, kind === 'diff_s6' ? 'conv' : `${prefix}conv`]));
}

/** Points that are not one row per token. */
const WITHOUT_POSITIONS = /(^|\.)hook_(A|lambda|h\.\d+)$/;

/** @throws InputError where a layer has nothing of that name to patch. */
export function requirePoint(
  { config }: Outline,
  layers: readonly number[],
  { point, mixer }: { readonly point: string; readonly mixer?: Mixer },
): void {
  if (WITHOUT_POSITIONS.test(point))
    throw new InputError(
      `${point} is not one row per token, so it cannot be patched at a position: choose another point.`,
    );
  for (const layer of layers) {
    const block = config.blocks[layer];
    const known = point === 'ssm' || point === 'conv' ? memoryOf(block) : hookPointsOf(block);
    const names = pointNames(layer, point, mixer).map((name) => name.slice(`blocks.${layer}.`.length));
    if (names.some((name) => known.has(name))) continue;
    throw new InputError(
      `Layer ${layer} (${block.kind}) has no hook point ${point}${mixer ? ` in ${mixer}` : ''}: see docs/hooks.md for their names.`,
    );
  }
}
