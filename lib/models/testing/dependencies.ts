import { anatomyOf } from '@/lib/architectures';
import { type PlacedScan, scansAt } from '@/lib/architectures/places';
import type { BlockKind } from '@/lib/checkpoint/types';

/** `a>b,c`: b and c are computed from a (equations A1–A5). */
const RECURRENCE =
  'delta>A_bar,B_bar A>A_bar B>B_bar A_bar>h.3,h B_bar>h.3,h ssm_input>h.3,h,ssm_output h.3>h h>y C>y y>ssm_output ' +
  'ssm_output>after_skip skip>after_skip';

/** Mamba-2 convolves x, B and C together, and its `hook_in_proj` is x alone, which B and C do not follow. */
const EDGES = {
  mamba1: `normalized_input>in_proj,skip conv>ssm_input in_proj>conv ssm_input>delta_1,B,C delta_1>dt_norm,delta_2 dt_norm>delta_2 delta_2>delta ${RECURRENCE}`,
  mamba2: `normalized_input>in_proj,skip,conv,delta_2 conv>ssm_input,B,C in_proj>ssm_input delta_2>delta ${RECURRENCE} after_skip>gated_norm`,
};

const AROUND = 'resid_pre>normalized_input,resid_post out_proj>resid_post';
const DIFFERENCE = 'lambda>diff diff>subln,out_proj subln>out_proj';

/** Pairs of points, as `hook_…` or `mixer_k.hook_…`, of which the second is computed from the first. */
function edgesOf(kind: BlockKind): (readonly [string, string])[] {
  const pairs = (edges: string, place: (point: string) => string) =>
    edges.split(' ').flatMap((edge) => {
      const [from, to] = edge.split('>');
      return to.split(',').map((each) => [place(from), place(each)] as const);
    });
  const outside = (point: string) => `hook_${point}`;
  const inside = (scan: PlacedScan) => (point: string) =>
    point === 'normalized_input' ? outside(point) : scan.at(point).slice('blocks.0.'.length);
  const scans = scansAt(0, { kind });
  const { difference } = anatomyOf({ kind });
  const ends = scans.flatMap((scan, k) => {
    const v = inside(scan)(scan.inner);
    if (!difference) return [[v, 'hook_out_proj'] as const];
    const { point } = difference.branches[k];
    return [...(v === point ? [] : [[v, point] as const]), [point, 'hook_diff'] as const];
  });
  return [
    ...pairs(AROUND, outside),
    ...(difference ? pairs(DIFFERENCE, outside) : []),
    ...scans.flatMap((scan) => pairs(EDGES[scan.family], inside(scan))),
    ...ends,
  ];
}

/** What is a parameter, or made of parameters alone: no edit of an activation reaches it. */
export const isParameter = (name: string): boolean => /hook_(A|lambda)$/.test(name);

/** Points of one block, as `hook_…` or `mixer_k.hook_…`, that change when `point` is replaced; itself included. */
export function downstream(kind: BlockKind, point: string, all: readonly string[]): Set<string> {
  const edges = edgesOf(kind);
  const reached = new Set([point]);
  for (const name of reached) for (const [from, to] of edges) if (from === name && all.includes(to)) reached.add(to);
  // What the convolution shows contains x, but B and C do not follow x.
  for (const name of [...reached]) if (/hook_in_proj$/.test(name)) reached.add(name.replace('in_proj', 'conv'));
  return reached;
}
