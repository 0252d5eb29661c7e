/** The numbers of a figure as a table: what "Show as table" and the exports write. */
export interface DataTable {
  readonly caption: string;
  readonly columns: readonly string[];
  /** One entry a column; null where there is no value. */
  readonly rows: readonly (readonly (string | number | null)[])[];
}

const present = (value: number | null | undefined): number | null =>
  value === undefined || value === null || Number.isNaN(value) ? null : value;

/** A table from columns of numbers, `undefined` and NaN taken as absent. */
export function tableOf(
  caption: string,
  labels: { readonly name: string; readonly values: readonly (string | number)[] }[],
  columns: { readonly name: string; readonly values: readonly (number | null | undefined)[] }[],
): DataTable {
  const length = labels[0]?.values.length ?? 0;
  return {
    caption,
    columns: [...labels, ...columns].map(({ name }) => name),
    rows: Array.from({ length }, (_, k) => [
      ...labels.map(({ values }) => values[k]),
      ...columns.map(({ values }) => present(values[k])),
    ]),
  };
}
