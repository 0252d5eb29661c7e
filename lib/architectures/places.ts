/** Where things are in a block, by the names of hook points (docs/hooks.md), of decoding state and of parameters. */

import { ATTENTION_POINTS, BLOCK_POINTS } from './equations/points';
import { ARCHITECTURES, anatomyOf } from './index';
import { ALL_KINDS, type BlockKind } from './kinds';
import { type Attention, type BlockConfig, isDifferential, type Scan, type ScanBranch } from './types';

/** A scan of block i, with the full names of its points and parameters. */
export interface PlacedScan extends Scan {
  /** `blocks.i.hook_delta`, or that below its mixer. */
  at(point: string): string;
  /** `backbone.layers.i.mixer.conv1d.weight`, given what lies in the block. */
  parameter(name: string): string;
}

/** The attention of block i, likewise. */
export interface PlacedAttention extends Attention {
  at(point: (typeof ATTENTION_POINTS)[number]): string;
  parameter(name: string): string;
}

export function attentionAt(i: number, block: { readonly kind: BlockKind }): PlacedAttention | undefined {
  const { attention } = anatomyOf(block);
  if (!attention) return undefined;
  return {
    ...attention,
    at: (point) => `blocks.${i}.hook_${point}`,
    parameter: (name) => `backbone.layers.${i}.${name}`,
  };
}

/** Empty, or the prefix under which a scan has a point of its own. */
const prefixOf = ({ name, shared }: Scan, point: string) =>
  name === 'single' || shared.includes(point) ? '' : `${name}.`;

const localName = (scan: Scan, point: string) => `${prefixOf(scan, point)}hook_${point}`;

/** The scans of block i, or the one of a branch of it; none where it has no such branch. */
export const scansAt = (i: number, block: { readonly kind: BlockKind }, branch?: ScanBranch): PlacedScan[] =>
  scansOf(block)
    .filter(({ name }) => branch === undefined || name === branch)
    .map((scan) => ({
      ...scan,
      at: (point) => `blocks.${i}.${localName(scan, point)}`,
      parameter: (name) => `backbone.layers.${i}.${name}`,
    }));

/** The scans of a block, by themselves. */
export const scansOf = (block: { readonly kind: BlockKind }): readonly Scan[] => anatomyOf(block).scans;

/** Every hook point of a block with one row per token or per prompt, without `blocks.i.` (docs/hooks.md). */
export function hookPointsOf(block: BlockConfig): ReadonlySet<string> {
  const { scans, difference } = anatomyOf(block);
  const subtracted = difference ? [...difference.branches.map(({ point }) => point), 'hook_lambda', 'hook_diff'] : [];
  return new Set([
    ...[...BLOCK_POINTS, ...besideScans(block)].map((point) => `hook_${point}`),
    ...scans.flatMap((scan) => scan.points.map((point) => localName(scan, point))),
    ...subtracted,
    ...(isDifferential(block) && block.subln ? ['hook_subln'] : []),
  ]);
}

/** Points of attention, of outputs of mixers that are not all that a block adds, and of MLPs, without `hook_`. */
function besideScans(block: { readonly kind: BlockKind }): string[] {
  const { scans, attention, mlp = [] } = anatomyOf(block);
  return [...(attention ? ATTENTION_POINTS : []), ...scans.flatMap(({ output }) => output ?? []), ...mlp];
}

/** What decoding remembers of a block, by the names of its state. */
export const memoryOf = (block: BlockConfig): ReadonlySet<string> =>
  new Set([
    ...scansOf(block).flatMap((scan) => ['ssm', 'conv'].map((name) => `${prefixOf(scan, name)}${name}`)),
    ...(anatomyOf(block).attention ? ['keys', 'values', 'attended'] : []),
  ]);

/** Every name that a hook point inside a block can have, whatever the block and without the prefix of its mixer. */
export const POINT_NAMES: readonly string[] = [
  ...new Set([
    ...[...BLOCK_POINTS, ...ALL_KINDS.flatMap((kind) => besideScans({ kind }))].map((point) => `hook_${point}`),
    ...ALL_KINDS.flatMap((kind) => {
      const { scans, difference } = ARCHITECTURES[kind].anatomy;
      const ports = difference?.branches.map(({ point }) => point.slice(point.indexOf('hook_'))) ?? [];
      return [...scans.flatMap(({ points }) => points.map((point) => `hook_${point}`)), ...ports];
    }),
    'hook_lambda',
    'hook_diff',
    'hook_subln',
  ]),
];

/** Those that hold a state, or an entry of one, per token. */
const WIDE = ['hook_A_bar', 'hook_B_bar', 'hook_h'];

/** All other points of a model, with a wildcard for the block. */
export const NARROW_POINTS: readonly string[] = [
  'hook_embed',
  ...POINT_NAMES.filter((point) => !WIDE.includes(point)).map((point) => `blocks.*.${point}`),
  'hook_norm',
  'hook_logits',
];
