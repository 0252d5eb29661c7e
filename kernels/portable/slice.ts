import type { TypedArray } from '@tensorflow/tfjs';

/**
 * Part of an array, copied in runs as long as they come.
 * @param values of `shape`, row-major
 * @param begin first place along each axis, @param size places along each axis, inside of `shape`
 * @returns values of shape `size`
 */
export function sliceRuns<T extends TypedArray>(
  values: T,
  shape: readonly number[],
  begin: readonly number[],
  size: readonly number[],
): T {
  // Axes that are taken whole at the end belong to one run with the last that is not.
  let axis = shape.length - 1;
  let run = 1;
  while (axis > 0 && size[axis] === shape[axis]) run *= shape[axis--];
  const stride = run * shape[axis];
  run *= size[axis];
  const out = new (values.constructor as new (length: number) => T)(size.slice(0, axis).reduce((n, m) => n * m, run));
  const first = begin[axis] * (stride / shape[axis]);
  const at = begin.slice(0, axis);
  for (let to = 0; to < out.length; to += run) {
    let row = 0;
    for (let k = 0; k < axis; k++) row = row * shape[k] + at[k];
    const from = row * stride + first;
    // A call costs as much as copying some values.
    if (run < 32) for (let i = 0; i < run; i++) out[to + i] = values[from + i];
    else out.set(values.subarray(from, from + run), to);
    for (let k = axis - 1; k >= 0 && ++at[k] === begin[k] + size[k]; k--) at[k] = begin[k];
  }
  return out;
}
