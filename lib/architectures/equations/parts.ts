import type { Attention, Scan } from '../types';
import { MLP_POINTS } from './points';

/** A scan of a block in which what its output projection gives is not all that is added. @param output point without `hook_` */
export const outputAt = (output: string, scan: Scan): Scan => ({ ...scan, output });

/** Softmax attention whose parameters lie under a name in the block. */
export const attentionBeside = (name: string): Attention => ({ parameters: { outProj: `${name}.o_proj` } });

/** The points of an MLP behind mixers, or of one that is the whole block and has no gate. */
export const mlpPoints = (how: 'gated' | 'alone'): readonly string[] =>
  how === 'gated' ? MLP_POINTS : ['mlp_up', 'mlp_act', 'mlp_out'];
