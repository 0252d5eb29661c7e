import { answerLogprobs } from '@/lib/analysis';
import type { AnswerScore, ReadingQuery } from '@/lib/api/readings';
import { ServiceError } from '../../errors';
import type { LoadedModels } from '../models/loaded-models';
import { checkTarget, positionOf } from './questions';
import type { ModelRecord } from './record';
import { withModelOf } from './with-model';

/** A token that cannot come next has no logarithm. */
const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** All tokens of a run's own answer. */
export const ownAnswer = ({ request }: ModelRecord): number[] =>
  (request.answer ?? [request.target]).map(({ id }) => id);

/** ln p of a whole answer after a run's prompt. Cost: one forward pass over both. @throws ServiceError 409, 422. */
export function answerOf(
  models: LoadedModels,
  record: ModelRecord,
  query: Pick<ReadingQuery<'answer'>, 'answer' | 'position'>,
): Promise<AnswerScore> {
  const { request } = record;
  const { answer = ownAnswer(record) } = query;
  for (const id of answer) checkTarget(record, id);
  const position = positionOf(record, query.position ?? request.position);
  const prompt = request.tokens.slice(0, position + 1).map(({ id }) => id);
  return withModelOf(models, record, async (model) => {
    const logprobs = [...answerLogprobs(model, prompt, answer)];
    if (logprobs.some(Number.isNaN))
      throw new ServiceError(
        422,
        "What the answer gets is not finite: the model's weights or activations hold NaN or infinity.",
        'Look for them with "run --names all".',
      );
    const tokens = answer.map((id, k) => ({ id, logprob: finite(logprobs[k]) }));
    return { position, tokens, logprob: finite(logprobs.reduce((sum, value) => sum + value, 0)) };
  });
}
