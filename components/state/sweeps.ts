import { create } from 'zustand';
import type { SweepRequestInput } from '@/lib/api/sweeps';

/** The tests that can be made over many prompts. */
export const SWEPT_TESTS = ['patch', 'knockout', 'ablate'] as const;
export type SweptTest = (typeof SWEPT_TESTS)[number];

export const SWEPT_NAMES: Readonly<Record<SweptTest, string>> = {
  patch: 'Patching over examples',
  knockout: 'Knock-out over examples',
  ablate: 'Ablation over examples',
};

/** A sweep that the page has asked for, and shows the means of. */
export interface ShownSweep {
  readonly id: string;
  readonly request: SweepRequestInput;
}

type Sweeps = Readonly<Partial<Record<SweptTest, ShownSweep>>>;

/** The last sweep of each test: it stays while another test has the section, and its numbers can be exported. */
export const useSweeps = create<Sweeps>()(() => ({}));

export const showSweep = (test: SweptTest, sweep: ShownSweep): void => useSweeps.setState({ [test]: sweep });
