'use client';
import { memo } from 'react';
import type { GeneratedToken } from '@/lib/api/generation';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import { SlotHead, SlotList, TokenText, ValueRow } from '../ui/parts';
import { type Continuation, canAnalyse, useGeneration } from './state';

const SHOWN = 10;

function Alternatives({ slot, token }: { slot: Continuation['slot']; token: GeneratedToken | undefined }) {
  return (
    <SlotList slot={slot}>
      {token?.alternatives.slice(0, SHOWN).map(({ id, text, probability }) => (
        <tr key={id} className={id === token.id ? 'strong' : undefined}>
          <th scope="row" className="mono ellipsis">
            <TokenText text={text} />
          </th>
          <td>{formatPlain(probability)}</td>
        </tr>
      ))}
      {token && token.rank > Math.min(SHOWN, token.alternatives.length) && (
        <tr className="strong">
          <th scope="row" className="mono ellipsis">
            <TokenText text={token.text} />
          </th>
          <td>{formatPlain(token.probability)}</td>
        </tr>
      )}
    </SlotList>
  );
}

/** Why a click on this token does nothing. */
const targetNote = ({ slot }: Continuation, token: GeneratedToken | undefined) =>
  token && !canAnalyse(token) ? (
    <p className="note" key={slot}>
      The token of {slot} is blank: it cannot be a target.
    </p>
  ) : null;

/** The distribution that the shown token was picked from, model beside model. */
export const GeneratedAside = memo(function GeneratedAside() {
  const continuations = useGeneration((s) => s.continuations);
  const shown = useGeneration((s) => s.shown);
  const tokens = continuations.map((continuation) => continuation.tokens[shown]);
  if (!tokens.some(Boolean))
    return (
      <aside aria-label="Generated token">
        <p className="note">
          Both models continue the text. Every token then shows here what else the model might have said.
        </p>
      </aside>
    );
  return (
    <aside aria-label="Generated token" data-testid="generated-aside">
      <div className="block">
        <h3>Token {shown}: most likely next tokens</h3>
        <div className={continuations.length > 1 ? 'side-by-side' : undefined}>
          {continuations.map(({ slot }, k) => (
            <Alternatives key={slot} slot={slot} token={tokens[k]} />
          ))}
        </div>
        <p className="note">Highlighted: the token that was added.</p>
      </div>
      <div className="block">
        <table className="values">
          <SlotHead slots={continuations.map(({ slot }) => slot)} />
          <tbody>
            <ValueRow name="p(token)" values={tokens.map((token) => formatPlain(token?.probability))} />
            <ValueRow name="rank" values={tokens.map((token) => formatCount(token?.rank))} />
            <ValueRow name="entropy, nats" values={tokens.map((token) => formatPlain(token?.entropy))} />
          </tbody>
        </table>
        {continuations.map((continuation, k) => targetNote(continuation, tokens[k]))}
      </div>
    </aside>
  );
});
