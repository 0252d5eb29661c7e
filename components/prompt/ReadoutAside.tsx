'use client';
import { memo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { formatPlain, formatSigned, type Maybe } from '@/lib/figures/numbers';
import { displayToken, tokensInSpan } from '../charts/tokens';
import { useAnswerScores, useWholeAnswers } from '../data/queries';
import type { View } from '../data/view';
import { useSelection } from '../state/selection';
import { SlotHead, TokenText, ValueRow } from '../ui/parts';
import { CandidatesField } from './CandidatesField';
import { TargetField } from './TargetField';

/** Words of several tokens: what of them is read, and the score of all of them. */
function WholeAnswer({ view }: { view: View }) {
  const answers = useWholeAnswers(view);
  const scores = useAnswerScores(view, answers);
  if (answers.every((answer) => answer === undefined)) return null;
  const heads = view.models.flatMap(({ slot }, k) => {
    const answer = answers[k];
    return answer ? [`${answer.length} tokens for ${slot}, “${displayToken(answer[0].text)}” first`] : [];
  });
  return (
    <div data-testid="whole-answer">
      <table className="values">
        <SlotHead slots={view.models.map(({ slot }) => slot)} />
        <tbody>
          <ValueRow
            name="ln p of the whole answer"
            values={scores.map(({ data, error }, k) =>
              answers[k] ? (error ? 'failed' : formatSigned(data?.logprob)) : 'one token',
            )}
          />
        </tbody>
      </table>
      <p className="note">
        The target has {heads.join('; ')}: curves, maps and tests read the first only, this row all, each given those
        before it.
      </p>
    </div>
  );
}

/** What the run says about the target at the read-out, one value per model. */
export interface ReadoutFacts {
  readonly atOutput: readonly Maybe[];
  /** First block with p(target) ≥ 0.1. */
  readonly firstLayer: readonly Maybe[];
}

export const ReadoutAside = memo(function ReadoutAside(props: {
  tokens: readonly Token[];
  view: View | undefined;
  facts: ReadoutFacts | undefined;
}) {
  const { tokens, view, facts } = props;
  const position = useSelection((s) => (s.position < 0 ? tokens.length - 1 : Math.min(s.position, tokens.length - 1)));
  const needleSpan = useSelection((s) => s.needle);
  const needle = tokensInSpan(tokens, needleSpan ?? undefined);
  const slots = view?.models.map(({ slot }) => slot) ?? [];
  return (
    <aside aria-label="Read-out">
      <div className="block">
        <h3>Read-out</h3>
        <table className="values">
          <tbody>
            <tr>
              <th scope="row">position</th>
              <td>
                {tokens[position] ? (
                  <>
                    {position} <TokenText text={tokens[position].text} />
                  </>
                ) : (
                  '–'
                )}
              </td>
            </tr>
            <tr>
              <th scope="row">target</th>
              <td>
                <TargetField />
              </td>
            </tr>
            <tr>
              <th scope="row">needle</th>
              <td>{needle ? (needle[0] === needle[1] ? needle[0] : `${needle[0]}–${needle[1]}`) : 'none'}</td>
            </tr>
            <tr>
              <th scope="row">candidates</th>
              <td>
                <CandidatesField />
              </td>
            </tr>
          </tbody>
        </table>
        {facts && view && (
          <table className="values">
            <SlotHead slots={slots} />
            <tbody>
              <ValueRow name="p(target) at output" values={facts.atOutput.map(formatPlain)} />
              <ValueRow name="first layer with p ≥ 0.1" values={facts.firstLayer.map((layer) => layer ?? '–')} />
            </tbody>
          </table>
        )}
        {view && !view.stale && <WholeAnswer view={view} />}
        {view?.stale && facts && <p className="note">Values from the previous prompt.</p>}
      </div>
    </aside>
  );
});
