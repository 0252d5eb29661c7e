import type { BlockKind } from '@/lib/checkpoint/types';

/** `a>b,c`: b and c are computed from a (spec A1–A5). `branch.` marks points under mixer_1 and mixer_2 of a Diff block. */
const RECURRENCE =
  'delta>A_bar,B_bar A>A_bar B>B_bar A_bar>h.3,h B_bar>h.3,h ssm_input>h.3,h,ssm_output h.3>h h>y C>y y>ssm_output ' +
  'ssm_output>after_skip skip>after_skip';
const S6 = `conv>ssm_input in_proj>conv ssm_input>delta_1,B,C delta_1>delta_2 delta_2>delta ${RECURRENCE}`;
/** Mamba-2 convolves x, B and C together, and its `hook_in_proj` is x alone, which B and C do not follow. */
const SSD = `conv>ssm_input,B,C in_proj>ssm_input delta_2>delta ${RECURRENCE} after_skip>gated_norm`;
const INTO_S6 = 'normalized_input>in_proj,skip';
const INTO_SSD = 'normalized_input>in_proj,skip,conv,delta_2';
const AROUND = 'resid_pre>normalized_input,resid_post out_proj>resid_post';
const DIFFERENCE = 'lambda>diff diff>subln,out_proj subln>out_proj';

const branches = (edges: string) =>
  edges
    .split(' ')
    .map((edge) => edge.replace(/[\w.]+/g, (point) => (point === 'normalized_input' ? point : `branch.${point}`)))
    .join(' ');

const EDGES: Readonly<Record<BlockKind, string>> = {
  mamba1: `${AROUND} ${INTO_S6} ${S6} after_skip>out_proj`,
  mamba2: `${AROUND} ${INTO_SSD} ${SSD} gated_norm>out_proj`,
  diff_mamba1: `${AROUND} ${branches(`${INTO_S6} ${S6} after_skip>out_proj`)} branch.out_proj>diff ${DIFFERENCE}`,
  diff_mamba2: `${AROUND} ${branches(`${INTO_SSD} ${SSD} gated_norm>out_proj`)} branch.out_proj>diff ${DIFFERENCE}`,
  diff_mamba2e: `${AROUND} ${INTO_SSD} ${SSD} gated_norm>mixer_out mixer_out>diff ${DIFFERENCE}`,
  diff_s6:
    `${AROUND} ${INTO_S6} in_proj>conv conv>ssm_input skip>branch.after_skip ` +
    `ssm_input>branch.delta_1,branch.B,branch.C,branch.h.3,branch.h,branch.ssm_output ` +
    `${branches(`delta_1>delta_2 delta_2>delta ${RECURRENCE}`)} branch.after_skip>diff ${DIFFERENCE}`,
  diff_s6_mamba2: `${AROUND} ${branches(`${INTO_SSD} ${SSD}`)} branch.gated_norm>diff ${DIFFERENCE}`,
};

/** What is a parameter, or made of parameters alone: no edit of an activation reaches it. */
export const isParameter = (name: string): boolean => /hook_(A|lambda)$/.test(name);

/** Points of one block, as `hook_…` or `mixer_k.hook_…`, that change when `point` is replaced; itself included. */
export function downstream(kind: BlockKind, point: string, all: readonly string[]): Set<string> {
  const edges = EDGES[kind].split(' ').flatMap((edge) => {
    const [from, to] = edge.split('>');
    return to.split(',').map((each) => [from, each] as const);
  });
  const parts = (name: string) => {
    const [, branch = '', base] = /^(?:(mixer_[12])\.)?hook_(.+)$/.exec(name) ?? [];
    return { branch, base: branch ? `branch.${base}` : base };
  };
  const reached = new Set([point]);
  for (const name of reached) {
    const from = parts(name);
    for (const other of all) {
      const to = parts(other);
      const sameBranch = from.branch === '' || to.branch === '' || from.branch === to.branch;
      if (sameBranch && edges.some(([a, b]) => a === from.base && b === to.base)) reached.add(other);
    }
  }
  // What the convolution shows contains x, but B and C do not follow x.
  for (const name of [...reached]) if (/hook_in_proj$/.test(name)) reached.add(name.replace('in_proj', 'conv'));
  return reached;
}
