'use client';
import type { Reading } from '@/lib/api/causal';
import { formatCount, formatPlain, formatSigned } from '../charts/numbers';
import { displayToken } from '../charts/tokens';
import { useTokenTexts } from '../data/queries';
import type { ModelView, View } from '../data/view';
import { Id, ValueRow } from '../ui/parts';
import type { ResultOf } from './results';

const MEASURES: readonly { name: string; show: (reading: Reading) => string }[] = [
  { name: 'p(target)', show: ({ target_prob }) => formatPlain(target_prob) },
  { name: 'rank of target', show: ({ target_rank }) => formatCount(target_rank === null ? null : target_rank + 1) },
  { name: 'log-odds', show: ({ log_odds }) => formatSigned(log_odds) },
  { name: 'SNR, answers', show: ({ snr_candidates }) => formatSigned(snr_candidates) },
  { name: 'SNR, vocabulary', show: ({ snr_vocab }) => formatSigned(snr_vocab) },
  { name: 'logit difference', show: ({ value }) => formatSigned(value) },
  { name: 'KL, nats', show: ({ kl }) => formatPlain(kl) },
];

function ModelAnswer({ model, found }: { model: ModelView; found: ResultOf<'intervene'> | undefined }) {
  const textOf = useTokenTexts(model);
  const token = (reading: Reading) => displayToken(textOf(reading.answer)).replace(/^·/, '');
  const both = (show: (reading: Reading) => string) => [
    found ? show(found.base) : '–',
    found?.changed ? show(found.changed) : '–',
  ];
  return (
    <div className="block" data-testid={`answer-${model.slot}`}>
      <table className="values">
        <thead>
          <tr>
            <th scope="col">
              <Id slot={model.slot} />
            </th>
            <th scope="col">unchanged</th>
            <th scope="col">changed</th>
          </tr>
        </thead>
        <tbody>
          <ValueRow name="answer" values={both(token)} />
          {MEASURES.map(({ name, show }) => (
            <ValueRow key={name} name={name} values={both(show)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The answer of every model, as it is and with its changes. */
export function InterventionAside({
  view,
  found,
}: {
  view: View;
  found: readonly (ResultOf<'intervene'> | undefined)[];
}) {
  return (
    <aside aria-label="Answer with the changes">
      {view.models.map((model, k) => (
        <ModelAnswer key={model.slot} model={model} found={found[k]} />
      ))}
    </aside>
  );
}
