import type { BlockConfig } from '@/lib/checkpoint/types';
import { type ScanBranch, scansOf } from '../s6Inputs';
import type { Mixer } from './points';

/** What one scan of a block is called: its hook points (docs/hooks.md) and its parameters. */
export interface ScanNames {
  readonly scan: ScanBranch;
  readonly in_proj: string;
  readonly conv: string;
  readonly ssm_input: string;
  readonly delta: string;
  readonly A: string;
  readonly B: string;
  readonly C: string;
  readonly h: string;
  readonly y: string;
  readonly ssm_output: string;
  readonly after_skip: string;
  readonly gated_norm: string;
  readonly skip: string;
  /** `mixer` is the prefix of what a mixer shares between its branches, and of all that it has where it has one scan. */
  readonly parameters: { readonly mixer: string; readonly conv: string; readonly D: string; readonly norm: string };
}

/** The scans of block i: one, or those of the two branches, or one of them. */
export function scanNamesOf(i: number, { kind }: BlockConfig, mixer?: Mixer): ScanNames[] {
  return scansOf(kind)
    .filter((scan) => mixer === undefined || scan === mixer)
    .map((scan) => {
      const single = scan === 'single';
      const own = (point: string) => `blocks.${i}.${single ? '' : `${scan}.`}hook_${point}`;
      const shared = (point: string) => (kind === 'diff_s6' ? `blocks.${i}.hook_${point}` : own(point));
      const twoMixers = kind === 'diff_mamba1' || kind === 'diff_mamba2';
      const prefix = `backbone.layers.${i}.${twoMixers ? scan : 'mixer'}`;
      const number = single || twoMixers ? '' : scan.slice(-1);
      return {
        scan,
        in_proj: shared('in_proj'),
        conv: shared('conv'),
        ssm_input: shared('ssm_input'),
        skip: shared('skip'),
        delta: own('delta'),
        A: own('A'),
        B: own('B'),
        C: own('C'),
        h: own('h'),
        y: own('y'),
        ssm_output: own('ssm_output'),
        after_skip: own('after_skip'),
        gated_norm: own('gated_norm'),
        parameters: {
          mixer: prefix,
          conv: `${prefix}.conv1d.weight`,
          D: `${prefix}.D${number}`,
          norm: `${prefix}.norm.weight`,
        },
      };
    });
}
