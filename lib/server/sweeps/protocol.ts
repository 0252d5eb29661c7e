import type { Sweep, SweepRequest, SweepStatus } from '@/lib/api/sweeps';
import type { JobsPlace, KindName } from '@/lib/jobs';
import type { WeightChoice } from '@/lib/vocabulary';
import type { Refusal } from '../prepared';

/** What the web server and the thread of its sweeps say to each other, and that one and the thread that computes items. */

export interface SweepsStart {
  readonly place: JobsPlace;
  readonly weights: WeightChoice;
}

export interface SweepsMethods {
  submit: { argument: { request: SweepRequest; retry: boolean }; result: SweepStatus };
  list: { argument: null; result: SweepStatus[] };
  get: { argument: string; result: Sweep };
  cancel: { argument: string; result: SweepStatus };
  /** Goes on with what an earlier server has left; false where it has left nothing. */
  resume: { argument: null; result: boolean };
  /** Whether no item waits and none is in work. */
  isIdle: { argument: null; result: boolean };
  close: { argument: null; result: null };
}
export type SweepsMethod = keyof SweepsMethods;

export type SweepsCall = {
  readonly [M in SweepsMethod]: {
    readonly call: number;
    readonly method: M;
    readonly argument: SweepsMethods[M]['argument'];
  };
}[SweepsMethod];

export type SweepsReply =
  | { readonly kind: 'result'; readonly call: number; readonly result: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly refusal: Refusal };

export interface ItemCall {
  readonly kind: KindName;
  readonly request: unknown;
  readonly item: number;
}

/** To the computing thread: an item, or that the one in work is not wanted any more. */
export type ItemMessage = { readonly compute: ItemCall } | { readonly stop: true };

export type ItemReply =
  | { readonly kind: 'ready'; readonly device: string }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'failure'; readonly message: string; readonly withdrawn: boolean };
