'use client';
import type { CancellationEstimate } from '@/lib/api/causal';
import { formatPlain, formatSigned, type Maybe } from '../charts/numbers';
import type { ModelView, View } from '../data/view';
import { useHover } from '../state/hover';
import { Id, ValueRow } from '../ui/parts';
import { type Batch, BRANCHES, type Form, type Single, verdict } from './shares';

/** Mean and the ends of the 95 % interval. */
const numbers = ({ mean, low, high }: CancellationEstimate, show: (value: Maybe) => string) =>
  [mean, low, high].map(show);

function OfPrompt({ single, layer, form }: { single: Single | undefined; layer: number; form: Form }) {
  const found = single?.layers.find((each) => each.layer === layer);
  if (!found) return <p className="note">{single ? 'Not a differential block.' : 'Not computed yet.'}</p>;
  const { share, removed, needle, noise } = found[form];
  const gain = share.difference !== null && share.first !== null ? share.difference - share.first : null;
  return (
    <>
      <table className="values">
        <thead>
          <tr>
            <td />
            <th scope="col">share</th>
            <th scope="col">needle</th>
            <th scope="col">noise</th>
          </tr>
        </thead>
        <tbody>
          {BRANCHES.map(({ value, label }) => (
            <ValueRow
              key={value}
              name={label}
              values={[formatPlain(share[value]), formatPlain(needle[value]), formatPlain(noise[value])]}
            />
          ))}
          <ValueRow
            kind="rule"
            name="removed"
            values={['', formatSigned(removed.needle), formatSigned(removed.noise)]}
          />
        </tbody>
      </table>
      <table className="values">
        <tbody>
          <ValueRow name="gain in share" values={[formatSigned(gain)]} />
          <ValueRow name="so the subtraction" values={[verdict(gain, removed)]} />
          <ValueRow name="λ" values={[formatPlain(found.lambda)]} />
          <ValueRow name="sum check" values={[formatPlain(found.reconstructionError)]} />
        </tbody>
      </table>
    </>
  );
}

function OfBatch({ batch, layer, form }: { batch: Batch; layer: number; form: Form }) {
  const found = batch.layers.find((each) => each.layer === layer);
  if (!found) return <p className="note">Not a differential block.</p>;
  const { share, gain, removed } = found[form];
  return (
    <table className="values">
      <thead>
        <tr>
          <th scope="col">share</th>
          <th scope="col">mean</th>
          <th scope="col">low</th>
          <th scope="col">high</th>
        </tr>
      </thead>
      <tbody>
        {BRANCHES.map(({ value, label }) => (
          <ValueRow key={value} name={label} values={numbers(share[value], formatPlain)} />
        ))}
        <ValueRow kind="rule" name="gain" values={numbers(gain, formatSigned)} />
        <ValueRow name="removed, needle" values={numbers(removed.needle, formatSigned)} />
        <ValueRow name="removed, noise" values={numbers(removed.noise, formatSigned)} />
      </tbody>
    </table>
  );
}

/** Exact numbers of the layer under the pointer, else of the selected one. */
export function CancellationAside(props: {
  view: View;
  models: readonly ModelView[];
  single: readonly (Single | undefined)[];
  batches: readonly (Batch | undefined)[];
  /** What the batch is over: stories or prompts. */
  words: string;
  form: Form;
}) {
  const { view, models, single, batches, words, form } = props;
  const hovered = useHover((s) => s.layer);
  const layer = Math.min(view.layers - 1, Math.max(0, hovered ?? view.layer));
  return (
    <aside aria-label="Cancellation in one layer">
      {models.map((model, k) => {
        const batch = batches[k];
        return (
          <div key={model.slot} className="block" data-testid={`cancelled-${model.slot}`}>
            <h3>
              <Id slot={model.slot} /> Layer {layer}{' '}
              <em>{batch ? `${batch.examples} of ${batch.of} ${words}` : 'this prompt'}</em>
            </h3>
            {batch ? (
              <OfBatch batch={batch} layer={layer} form={form} />
            ) : (
              <OfPrompt single={single[k]} layer={layer} form={form} />
            )}
          </div>
        );
      })}
    </aside>
  );
}
