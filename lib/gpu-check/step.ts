/** What a step found; written as one line of JSON. */
export interface Finding {
  /** Whether it is right; of a timing, whether its numbers are finite. */
  readonly ok: boolean;
  /** Why it is not, or why it was left out. */
  readonly note?: string;
  readonly [key: string]: unknown;
}

/** One question, with the time that its answer may take before the process that looks for it is ended. */
export interface Step {
  readonly name: string;
  readonly seconds: number;
  run(): Finding | Promise<Finding>;
}

/** How much of everything: all of it on a card, a little of each on a processor that imitates one. */
export interface Size {
  readonly small: boolean;
  /** Folder of the reference cases. */
  readonly cases: string;
}

/** Steps that share a process and what is costly to make, the adapter and the weights of a model. */
export interface Group {
  readonly name: string;
  /** True where the steps do without the webgpu device. */
  readonly elsewhere?: boolean;
  steps(size: Size): readonly Step[] | Promise<readonly Step[]>;
}

/** What a group's process writes for the one that watches it. */
export type Message =
  | { readonly begin: string; readonly seconds: number }
  | { readonly found: string; readonly finding: Finding };
