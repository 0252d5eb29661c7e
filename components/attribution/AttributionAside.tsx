'use client';
import { memo } from 'react';
import type { AttributionReply } from '@/lib/api/readings';
import { formatPlain, formatSigned } from '@/lib/figures/numbers';
import { layerName } from '../charts/layerAxis';
import type { View } from '../data/view';
import { useHover } from '../state/hover';
import { SlotHead, ValueRow } from '../ui/parts';
import { PART_NAMES, type Part, partsAt, runningSums, type Step, sumOf } from './waterfall';

/** Above this share of the logit the parts do not add up. */
const ERROR_LIMIT = 1e-3;

/** What the layer under the pointer, else the selected one, adds to the logit; and whether all parts add up. */
export const AttributionAside = memo(function AttributionAside(props: {
  view: View;
  replies: readonly (AttributionReply | undefined)[];
  steps: readonly (readonly Step[])[];
}) {
  const { view, replies, steps } = props;
  const hovered = useHover((s) => s.layer);
  const layer = hovered ?? view.layer;
  const slots = view.models.map(({ slot }) => slot);
  const parts = steps.map((own) => partsAt(own, layer));
  const named = (Object.keys(PART_NAMES) as Part[]).filter((part) => parts.some((own) => own.has(part)));
  const sums = steps.map((own) => runningSums(own, view.layers)[layer + 1]);
  const total = (own: ReadonlyMap<Part, number>) =>
    own.size === 0 ? undefined : [...own.values()].reduce((sum, value) => sum + value, 0);
  const name = layerName(layer, view.layers);
  const wrong = replies.some((reply) => reply && !(reply.reconstruction_error <= ERROR_LIMIT));
  return (
    <aside aria-label="Contributions to the logit">
      <div className="block">
        <h3>
          {name[0].toUpperCase() + name.slice(1)}{' '}
          <em>{hovered !== undefined && hovered !== view.layer ? 'under the pointer' : 'selected'}</em>
        </h3>
        <table className="values">
          <SlotHead caption="adds to the logit" slots={slots} />
          <tbody>
            {named.map((part) => (
              <ValueRow key={part} name={PART_NAMES[part]} values={parts.map((own) => formatSigned(own.get(part)))} />
            ))}
            {named.length > 1 && (
              <ValueRow kind="rule" name="together" values={parts.map((own) => formatSigned(total(own)))} />
            )}
            {layer < view.layers && (
              <ValueRow kind="sub" name="sum up to here" values={sums.map((sum) => formatSigned(sum))} />
            )}
          </tbody>
        </table>
      </div>
      <div className="block">
        <h3>Sum check</h3>
        <table className="values" data-testid="sum-check">
          <SlotHead slots={slots} />
          <tbody>
            <ValueRow name="sum of all parts" values={replies.map((reply) => formatSigned(reply && sumOf(reply)))} />
            <ValueRow name="logit" values={replies.map((reply) => formatSigned(reply?.logit))} />
            <ValueRow name="relative error" values={replies.map((reply) => formatPlain(reply?.reconstruction_error))} />
          </tbody>
        </table>
        {wrong && <p className="note bad">The parts do not add up: do not read small contributions.</p>}
      </div>
    </aside>
  );
});
