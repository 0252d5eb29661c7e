import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** What a skipped test would have needed, as `npm test` prints it at its end. */
    needs?: string;
  }
}

/** Options of a suite or test that runs only where `what` is there. */
export const needs = (there: unknown, what: string) => ({ skip: !there, meta: { needs: what } });

/** Ends the running test as skipped, where only trying shows that `what` is not there. */
export function skipFor(context: TestContext, what: string): never {
  context.task.meta.needs = what;
  return context.skip(what);
}

export const ADD_ON = 'the native kernels (a C++ compiler builds them)';
export const TENSORFLOW = 'the tensorflow device (npm run setup:tensorflow)';
export const ADAPTER = "a WebGPU adapter (Debian's chromium brings one)";
