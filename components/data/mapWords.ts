'use client';
import { useShallow } from 'zustand/react/shallow';
import type { BlockSummary } from '@/lib/api/schemas';
import { COMPONENT_LABELS, FORM_INFO, type ShownForm, SPAN_INFO } from '../state/forms';
import { type Reduction, reduces, reductionOf, type Selection, spanOf, useSelection } from '../state/selection';
import { BRANCH_NAMES, formAt, hasBranches, type View } from './view';

/** How a reduction over channels or heads is called. */
export const REDUCTION_LABELS: Record<Reduction, string> = {
  mean: 'signed mean',
  mean_abs: 'mean of |·|',
  max: 'largest |·|',
  one: 'one',
};

/** What a form is called in some layers: the own map of attention is its softmax weights. */
export function formLabel(blocks: readonly (BlockSummary | undefined)[], form: ShownForm): string {
  const names = blocks.flatMap((block) =>
    (block?.branches ?? []).map((branch) => FORM_INFO[formAt(block, branch, form)].label),
  );
  return [...new Set(names)].join(' / ') || FORM_INFO[form].label;
}

/** The choices that say what maps show. */
export type MapChoices = Pick<
  Selection,
  'form' | 'span' | 'reduction' | 'without' | 'branch' | 'values' | 'sharedScale'
>;

const partWord = ({ models, layer }: Pick<View, 'models' | 'layer'>) =>
  models.some(({ model }) => (model.blocks[layer]?.heads ?? 0) > 0) ? 'head' : 'channel';

/** Form, reduction over channels or heads, and what is left out: “block, mean of |·| over heads, no gate”. */
export function mapWords(
  choices: MapChoices,
  view: Pick<View, 'models' | 'layer'>,
  blocks: readonly (BlockSummary | undefined)[] = view.models.map(({ model }) => model.blocks[view.layer]),
): string {
  const { form, without } = choices;
  const span = spanOf(choices);
  const reduction = reductionOf(choices);
  const part = partWord(view);
  return [
    span === 'layer' ? formLabel(blocks, form) : SPAN_INFO[span].quantity,
    ...(reduces(form) ? [reduction === 'one' ? `one ${part}` : `${REDUCTION_LABELS[reduction]} over ${part}s`] : []),
    ...(form === 'block' ? without.map((component) => COMPONENT_LABELS[component]) : []),
  ].join(', ');
}

/** What the strip's small maps show: every layer by itself, also where the large map is a product over layers. */
export function thumbnailWords(choices: MapChoices, view: Pick<View, 'models' | 'layer'>): string {
  const blocks = view.models.flatMap(({ model }) => model.blocks);
  const own = mapWords({ ...choices, span: 'layer' }, view, blocks);
  const branches = view.models.some(({ model }) => model.blocks.some(hasBranches));
  const { values, sharedScale } = choices;
  const scale = view.models.length === 1 || sharedScale ? 'one scale for all' : 'each model on a scale of its own';
  return [
    branches ? `${own}, ${BRANCH_NAMES[choices.branch]}` : own,
    ...(values === 'row' ? ['shares of each row'] : values === 'log' ? ['logarithmic'] : []),
    scale,
    ...(spanOf(choices) === 'layer' ? [] : ['each layer by itself, before they are multiplied']),
  ].join(' · ');
}

const useChoices = (): MapChoices =>
  useSelection(
    useShallow(({ form, span, reduction, without, branch, values, sharedScale }) => {
      return { form, span, reduction, without, branch, values, sharedScale };
    }),
  );

/** What the large maps show now, in words. */
export const useMapWords = (view: Pick<View, 'models' | 'layer'>): string => mapWords(useChoices(), view);

/** What the small maps show now, in words. */
export const useThumbnailWords = (view: Pick<View, 'models' | 'layer'>): string => thumbnailWords(useChoices(), view);
