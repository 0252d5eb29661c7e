'use client';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import type { DataTable } from '../charts/table';

/** Positions, ranks and counts are whole; a column is one of them if all of its numbers are. */
const isWhole = ({ rows }: DataTable, column: number): boolean =>
  rows.every((row) => typeof row[column] !== 'number' || Number.isInteger(row[column]));

/** A figure's numbers as a real table, three significant digits; copying and exports have them all. */
export function DataTableView({ table }: { table: DataTable }) {
  const formats = table.columns.map((_, column) => (isWhole(table, column) ? formatCount : formatPlain));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keys.
    <section className="data-table" tabIndex={0} aria-label={table.caption} data-testid="data-table">
      <table>
        <caption>{table.caption}</caption>
        <thead>
          <tr>
            {table.columns.map((name, column) => (
              <th key={name} scope="col" className={typeof table.rows[0]?.[column] === 'string' ? 'text' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, k) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have a fixed order.
            <tr key={k}>
              {row.map((value, column) =>
                column === 0 ? (
                  <th key={table.columns[column]} scope="row">
                    {value}
                  </th>
                ) : (
                  <td key={table.columns[column]} className={typeof value === 'string' ? 'text' : undefined}>
                    {typeof value === 'string' ? value : formats[column](value)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
