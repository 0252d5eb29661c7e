import { ServiceError } from '../../errors';
import type { ModelRecord } from './record';

/** @throws ServiceError 422. */
export function checkTarget({ config, request }: ModelRecord, target: number): void {
  if (target >= config.vocabulary)
    throw new ServiceError(
      422,
      `Token ${target} is outside the vocabulary of ${request.name}, which has ${config.vocabulary} tokens.`,
    );
}

/** A position of the run, −1 for its last. @throws ServiceError 422. */
export function positionOf({ L, request }: ModelRecord, position: number): number {
  if (position >= L)
    throw new ServiceError(
      422,
      `Position ${position} is outside the prompt, which ${request.name} reads as ${L} tokens.`,
    );
  return position < 0 ? L - 1 : position;
}
