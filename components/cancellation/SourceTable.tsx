'use client';
import { memo } from 'react';
import { formatValue } from '../charts/numbers';
import { type ModelView, tokenOfA } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { Id, TokenText } from '../ui/parts';
import { BRANCHES, type Form, type Single } from './shares';

/** What every source token brings through each branch of one layer; the needle's rows are marked. */
export const SourceTable = memo(function SourceTable(props: {
  model: ModelView;
  single: Single | undefined;
  layer: number;
  form: Form;
}) {
  const { model, single, layer, form } = props;
  const hovered = useHover((s) => s.source);
  const found = single?.layers.find((each) => each.layer === layer);
  if (!single || !found) return null;
  const { sources } = found[form];
  const [start, end] = single.needle;
  const caption = `What each source token brings in layer ${layer} of ${model.slot}, ${form === 'logit' ? 'logits' : 'norm'}`;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keys.
    <section className="data-table sources" tabIndex={0} aria-label={caption} data-testid={`sources-${model.slot}`}>
      <table>
        <caption>
          <Id slot={model.slot} small /> {caption}
        </caption>
        <thead>
          <tr>
            <th scope="col">source</th>
            {BRANCHES.map(({ value, label }) => (
              <th key={value} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onPointerLeave={clearHover}>
          {sources.first.map((_, own) => {
            const ofA = tokenOfA(model, own);
            const classes = [
              own >= start && own < end && 'in-needle',
              ofA !== undefined && ofA === hovered && 'strong',
            ];
            return (
              <tr
                // biome-ignore lint/suspicious/noArrayIndexKey: sources are known by their place.
                key={own}
                className={classes.filter(Boolean).join(' ') || undefined}
                onPointerEnter={() => ofA !== undefined && hover({ origin: 'causal', source: ofA })}
              >
                <th scope="row" className="mono">
                  {own} <TokenText text={model.tokens[own]?.text ?? ''} />
                </th>
                {BRANCHES.map(({ value }) => (
                  <td key={value}>{formatValue(sources[value][own], form === 'logit')}</td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
});
