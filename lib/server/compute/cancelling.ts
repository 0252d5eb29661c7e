import { setImmediate as turn } from 'node:timers/promises';
import { ServiceError } from '../errors';

/** True once nobody waits for the answer any more. */
export type Withdrawn = () => boolean;

/** What a client is said to have done that closed the connection before the answer. */
const CLOSED = 499;

/** @param flag one shared integer, ≠ 0 once the request was withdrawn; absent where nobody would say so */
export const withdrawnBy =
  (flag: Int32Array | undefined): Withdrawn =>
  () =>
    flag !== undefined && Atomics.load(flag, 0) !== 0;

/** Lets other requests go first between two steps of a computation, and ends it once nobody waits. @throws ServiceError 499. */
export async function pause(withdrawn: Withdrawn): Promise<void> {
  await turn();
  if (withdrawn()) throw new ServiceError(CLOSED, 'The request was withdrawn.');
}

/** Runs a generator to its end with a pause after every step. @throws ServiceError 499. */
export async function drained<T>(steps: Generator<unknown, T, void>, withdrawn: Withdrawn): Promise<T> {
  try {
    let step = steps.next();
    while (!step.done) {
      await pause(withdrawn);
      step = steps.next();
    }
    return step.value;
  } finally {
    steps.return(undefined as never);
  }
}

/** Work that several may ask for at once: done once, and stopped when all of them have withdrawn. */
export class Shared<T> {
  #running = new Map<string, { readonly askers: Withdrawn[]; readonly result: Promise<T> }>();

  do(key: string, withdrawn: Withdrawn, work: (withdrawn: Withdrawn) => Promise<T>): Promise<T> {
    const known = this.#running.get(key);
    if (known) {
      known.askers.push(withdrawn);
      return known.result;
    }
    const askers = [withdrawn];
    const result = work(() => askers.every((gone) => gone())).finally(() => this.#running.delete(key));
    this.#running.set(key, { askers, result });
    return result;
  }
}
