import { type GenerationStep, generationSteps } from '@/lib/generation';
import { type DecodingState, disposeState, extend, joinStates, type Model } from '@/lib/models';

/**
 * Greedy continuations of prompts of any lengths: each is read by itself, so that no padding comes between, and all are continued in
 * step. What one row gets does not depend on which others it stands with. A row ends before its end-of-text token.
 * @param prompts at least two tokens each
 */
export function continued(
  model: Model,
  prompts: readonly (readonly number[])[],
  maxNewTokens: number,
  endOfText: number | undefined,
): number[][] {
  const read = prompts.map((prompt) => readUpTo(model, prompt.slice(0, -1)));
  const state = joinStates(read);
  for (const own of read) disposeState(own);
  const last = prompts.map((prompt) => prompt.slice(-1));
  const added = prompts.map((): number[] => []);
  const ended = prompts.map(() => false);
  const steps = generationSteps(model, last, { maxNewTokens, state });
  try {
    for (let step = steps.next(); !step.done; step = steps.next()) {
      const { chosen, done }: GenerationStep = step.value;
      chosen.forEach((id, row) => {
        ended[row] ||= id === endOfText;
        if (!ended[row]) added[row].push(id);
      });
      if (done === maxNewTokens || ended.every(Boolean)) break;
    }
  } finally {
    // Ends the steps before the last token is read, whose state nobody wants.
    steps.return({ tokens: [] });
    disposeState(state);
  }
  return added;
}

function readUpTo(model: Model, tokens: readonly number[]): DecodingState {
  const { logits, state } = extend(model, [tokens]);
  logits.dispose();
  return state;
}
