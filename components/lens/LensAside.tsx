'use client';
import { memo } from 'react';
import type { Lens } from '@/lib/api/bodies';
import { formatCount, formatPlain, type Maybe } from '@/lib/figures/numbers';
import type { LensStatistic } from '@/lib/vocabulary';
import { layerName } from '../charts/layerAxis';
import { sameWord } from '../charts/tokens';
import { useTokenTexts } from '../data/queries';
import { entryAt } from '../data/series';
import { type ModelView, ownToken, type View } from '../data/view';
import { useHover } from '../state/hover';
import { SlotHead, SlotList, TokenText, ValueRow } from '../ui/parts';

const SHOWN = 7;

/** The cell of one model's lens that the aside speaks of: its offset in the statistics, or undefined. */
function offsetOf(
  lens: Lens | undefined,
  model: ModelView,
  ofA: number,
  layer: number,
  layers: number,
): number | undefined {
  if (!lens) return undefined;
  const own = ownToken(model, ofA);
  const entry = entryAt(lens, layer, layers);
  return own === undefined || own >= lens.L || entry < 0 ? undefined : entry * lens.L + own;
}

/** A model's top tokens at one cell. */
function TopTokens({
  model,
  lens,
  at,
  target,
}: {
  model: ModelView;
  lens: Lens | undefined;
  at: number | undefined;
  target: string;
}) {
  const textOf = useTokenTexts(model);
  const count = lens && at !== undefined ? Math.min(SHOWN, lens.k) : 0;
  return (
    <SlotList slot={model.slot}>
      {lens &&
        at !== undefined &&
        Array.from({ length: count }, (_, rank) => at * lens.k + rank).map((index, rank) => {
          const text = textOf(lens.topIds[index]);
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows are ranks; the same rows then take other words.
            <tr key={rank}>
              <th scope="row" className={`mono ellipsis${sameWord(text, target) ? ' target' : ''}`}>
                <TokenText text={text} />
              </th>
              <td>{formatPlain(lens.topProbs[index])}</td>
            </tr>
          );
        })}
    </SlotList>
  );
}

/** Exact lens values of the cell under the pointer, else of the read-out at the selected layer. */
export const LensAside = memo(function LensAside(props: {
  view: View;
  lenses: readonly (Lens | undefined)[];
  rows: readonly number[];
}) {
  const { view, lenses, rows } = props;
  const hoverLayer = useHover((s) => s.layer);
  const hovered = useHover(({ origin, destination }) =>
    destination !== undefined && (origin === 'lens' || rows.includes(destination)) ? destination : undefined,
  );
  const layer = hoverLayer ?? view.layer;
  const position = hovered ?? view.position;
  const offsets = view.models.map((model, k) => offsetOf(lenses[k], model, position, layer, view.layers));
  const of = (name: LensStatistic): Maybe[] =>
    offsets.map((at, k) => (at === undefined ? undefined : lenses[k]?.statistics[name]?.[at]));
  const slots = view.models.map(({ slot }) => slot);
  const name = layerName(layer, view.layers);
  return (
    <aside aria-label="Lens cell">
      <div className="block">
        <h3>
          {name[0].toUpperCase() + name.slice(1)}, position {position}{' '}
          <em className="mono">
            “<TokenText text={view.tokens[position]?.text ?? ''} />”
          </em>
        </h3>
        {offsets.some((at) => at !== undefined) ? (
          <div className="side-by-side">
            {view.models.map((model, k) => (
              <TopTokens key={model.slot} model={model} lens={lenses[k]} at={offsets[k]} target={view.target} />
            ))}
          </div>
        ) : (
          <p className="note">Not computed yet.</p>
        )}
      </div>
      <div className="block">
        <table className="values">
          <SlotHead slots={slots} />
          <tbody>
            <ValueRow name="p(target)" values={of('target_prob').map(formatPlain)} />
            <ValueRow
              name="rank of target"
              values={of('target_rank').map((above) => formatCount(typeof above === 'number' ? above + 1 : above))}
            />
            <ValueRow name="entropy, nats" values={of('entropy').map(formatPlain)} />
            <ValueRow name="KL to output, nats" values={of('kl_final_lens').map(formatPlain)} />
          </tbody>
        </table>
        <p className="note" style={{ marginTop: 8 }}>
          Neighbouring layers with the same top token share one label. “out” is the model’s own output, not a lens.
        </p>
      </div>
    </aside>
  );
});
