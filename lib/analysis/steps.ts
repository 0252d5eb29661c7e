/** How far work is that yields between its steps. Whoever runs it may stop early with `return()`. */
export interface Steps {
  readonly done: number;
  readonly total: number;
}

/** A step of a run, and its results so far. */
export interface Progress<Result> extends Steps {
  readonly result: Result;
}

/** Runs a generator to its end. */
export function drain<R>(steps: Generator<unknown, R, void>): R {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Runs a generator to its end and waits after every step; a rejection of `onStep` ends the generator too. */
export async function drainAsync<T, R>(
  steps: Generator<T, R, void>,
  onStep: (step: T) => void | Promise<void>,
): Promise<R> {
  let finished = false;
  try {
    let step = steps.next();
    while (!step.done) {
      await onStep(step.value);
      step = steps.next();
    }
    finished = true;
    return step.value;
  } finally {
    if (!finished) steps.return(undefined as never);
  }
}

/** Passes on what another generator yields, changed by `each`; an early end of one ends the other. */
export function* through<T, U, R>(steps: Generator<T, R, void>, each: (value: T) => U): Generator<U, R, void> {
  let finished = false;
  try {
    let step = steps.next();
    while (!step.done) {
      yield each(step.value);
      step = steps.next();
    }
    finished = true;
    return step.value;
  } finally {
    if (!finished) steps.return(undefined as never);
  }
}
