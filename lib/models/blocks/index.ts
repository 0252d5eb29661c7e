import type * as tf from '@tensorflow/tfjs';
import type { BlockConfig, BlockKind } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import type { Weights } from '../weights';
import { diffMamba1 } from './diff_mamba1';
import { diffMamba2 } from './diff_mamba2';
import { diffMamba2e } from './diff_mamba2e';
import { diffS6 } from './diff_s6';
import { diffS6Mamba2 } from './diff_s6_mamba2';
import { mamba1 } from './mamba1';
import { mamba2 } from './mamba2';

/** What a block adds to the residual stream: normalised input u [B,L,d] → [B,L,d]. */
export type Block = (u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap) => tf.Tensor3D;

/** One entry per architecture; `w` is scoped to `backbone.layers.i`. */
export const BLOCKS: Readonly<Record<BlockKind, Block>> = {
  mamba1: (u, w, block, tap) => mamba1(u, w.under('mixer'), block.mixer, tap),
  mamba2: (u, w, block, tap) => mamba2(u, w.under('mixer'), block.mixer, tap),
  diff_mamba1: diffMamba1,
  diff_mamba2: diffMamba2,
  diff_mamba2e: diffMamba2e,
  diff_s6: diffS6,
  diff_s6_mamba2: diffS6Mamba2,
};
