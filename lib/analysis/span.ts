/** Tokens [start, end), such as those of the needle. */
export type Span = readonly [start: number, end: number];
