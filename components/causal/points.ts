import type { BlockSummary } from '@/lib/api/schemas';
import { type Mixer, PATCH_POINTS, type PatchPoint } from '@/lib/vocabulary';
import type { ModelView } from '../data/view';

/** What a patch carries from the clean run, in words. */
export const POINT_INFO: Readonly<Record<PatchPoint, { readonly label: string; readonly note: string }>> = {
  hook_resid_pre: { label: 'residual stream', note: 'the residual stream that enters the layer, at one token' },
  hook_out_proj: { label: 'block output', note: 'what the layer adds to the residual stream at one token' },
  hook_y: { label: 'scan output', note: 'what one token reads from the state, in the layer’s scan' },
  hook_h: { label: 'state', note: 'the state after one token, which it and all later ones read' },
  ssm: {
    label: 'state carried on',
    note: 'the state that decoding keeps after one token, read by later ones only',
  },
  conv: {
    label: 'convolution',
    note: 'the convolution’s last inputs, kept after one token, read by later ones only',
  },
};

/** The points that some block has; a run of an earlier version does not say, and is offered them all. */
export const pointsIn = (models: readonly ModelView[]): PatchPoint[] =>
  PATCH_POINTS.filter((point) =>
    models.some(({ model }) => model.blocks.some(({ points }) => !points || points[point])),
  );

/** The mixers of a block that have a point each for itself. */
const mixersAt = ({ points }: BlockSummary, point: PatchPoint): readonly Mixer[] => points?.[point] ?? [];

/** Whether a point can be carried over of one branch, in some block of a model. */
export const isBranched = (models: readonly ModelView[], point: PatchPoint): boolean =>
  models.some(({ model }) => model.blocks.some((block) => mixersAt(block, point).length > 0));

/** The layers whose mixer has the point for itself. */
export const layersAt = ({ model }: ModelView, point: PatchPoint, mixer: Mixer): number[] =>
  model.blocks.flatMap((block, layer) => (mixersAt(block, point).includes(mixer) ? [layer] : []));
