import { readable } from '@/lib/checkpoint/types';

/** A request that cannot be served, with the HTTP status that says why. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  constructor(
    readonly status: number,
    message: string,
    readonly hint?: string,
  ) {
    super(readable(message));
  }
}
