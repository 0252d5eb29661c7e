/** Where the columns of an operand lie in a wider array of as many rows, in elements. */
export interface Columns {
  readonly stride: number;
  readonly offset: number;
}

/** An array that has these columns alone. */
export const alone = (width: number): Columns => ({ stride: width, offset: 0 });

/** As uniforms called `<name>Stride` and `<name>Offset`. */
export const columnUniforms = (name: string, { stride, offset }: Columns): Record<string, number> => ({
  [`${name}Stride`]: stride,
  [`${name}Offset`]: offset,
});

/** WGSL: an element by its row and column there. */
export const columnAt = (name: string, row: string, column: string, array = name): string =>
  `${array}[(${row}) * uniforms.${name}Stride + uniforms.${name}Offset + ${column}]`;
