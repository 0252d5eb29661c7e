'use client';
import type { Lens } from '@/lib/api/bodies';
import type { Reading } from '@/lib/api/causal';
import type { Signal } from '@/lib/api/readings';
import { formatCount, formatPlain, formatSigned } from '@/lib/figures/numbers';
import { displayToken } from '../charts/tokens';
import { useLenses, useTargetIds, useTokenTexts } from '../data/queries';
import type { ModelView, View } from '../data/view';
import { Id, ValueRow } from '../ui/parts';
import type { ResultOf } from './results';

/** What is known of an answer: all of it once the model has run here, else what its run says of the output. */
type Known = Partial<Reading>;

const MEASURES: readonly { name: string; show: (reading: Known) => string }[] = [
  { name: 'p(target)', show: ({ target_prob }) => formatPlain(target_prob) },
  {
    name: 'rank of target',
    show: ({ target_rank }) => formatCount(typeof target_rank === 'number' ? target_rank + 1 : null),
  },
  { name: 'log-odds', show: ({ target_log_odds }) => formatSigned(target_log_odds) },
  { name: 'margin', show: ({ margin }) => formatSigned(margin) },
  { name: 'SNR, answers', show: ({ snr_candidates }) => formatSigned(snr_candidates) },
  { name: 'SNR, vocabulary', show: ({ snr_vocab }) => formatSigned(snr_vocab) },
  { name: 'logit difference', show: ({ value }) => formatSigned(value) },
  { name: 'KL, nats', show: ({ kl }) => formatPlain(kl) },
];

/**
 * What the run says of its output, which a run that was cancelled does not have.
 * @param foil the same signal of the foil: two logits differ by what their ln p do
 */
export function outputOf(signal: Signal, lens: Lens | undefined, position: number, foil?: Signal): Known | undefined {
  const last = signal.entries.indexOf('final');
  if (last < 0) return undefined;
  const at = lens?.entries[last] === 'final' ? last * lens.L + position : undefined;
  const { target_prob, target_log_odds, margin, snr_candidates, snr_vocab } = signal;
  const [right, wrong] = [signal, foil].map((one) => one?.target_logprob[last]);
  return {
    ...(lens &&
      at !== undefined && { answer: lens.topIds[at * lens.k], target_rank: lens.statistics.target_rank?.[at] }),
    kl: 0,
    ...(typeof right === 'number' && typeof wrong === 'number' && { value: right - wrong }),
    target_prob: target_prob[last],
    target_log_odds: target_log_odds[last],
    margin: margin[last],
    snr_candidates: snr_candidates[last],
    snr_vocab: snr_vocab[last],
  };
}

function ModelAnswer(props: {
  model: ModelView;
  found: ResultOf<'intervene'> | undefined;
  signal: Signal | undefined;
  lens: Lens | undefined;
  foil: Signal | undefined;
}) {
  const { model, found, signal, lens, foil } = props;
  const textOf = useTokenTexts(model);
  const unchanged = found?.base ?? (signal && outputOf(signal, lens, model.position, foil));
  const token = ({ answer }: Known) => (answer === undefined ? '–' : displayToken(textOf(answer)).replace(/^·/, ''));
  const all = (show: (reading: Known) => string) => [
    unchanged ? show(unchanged) : '–',
    found?.changed ? show(found.changed) : '–',
    found?.frozen_norms ? show(found.frozen_norms) : '–',
  ];
  return (
    <div className="block" data-testid={`answer-${model.slot}`}>
      <table className="values answers">
        <thead>
          <tr>
            <th scope="col">
              <Id slot={model.slot} />
            </th>
            <th scope="col">unchanged</th>
            <th scope="col">changed</th>
            <th scope="col">norms frozen</th>
          </tr>
        </thead>
        <tbody>
          <ValueRow name="answer" values={all(token)} />
          {MEASURES.map(({ name, show }) => (
            <ValueRow key={name} name={name} values={all(show)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The answer of every model, as it is and with its changes. */
export function InterventionAside(props: {
  view: View;
  found: readonly (ResultOf<'intervene'> | undefined)[];
  /** What the run says of the unchanged models, through the logit lens. */
  signals: readonly (Signal | undefined)[];
  /** The same of the foil, where there is one. */
  foils: readonly (Signal | undefined)[];
}) {
  const { view, found, signals, foils } = props;
  const lenses = useLenses(view, useTargetIds(view)).map(({ data }) => data);
  return (
    <aside aria-label="Answer with the changes">
      {view.models.map((model, k) => (
        <ModelAnswer
          key={model.slot}
          model={model}
          found={found[k]}
          signal={signals[k]}
          lens={lenses[k]}
          foil={foils[k]}
        />
      ))}
    </aside>
  );
}
