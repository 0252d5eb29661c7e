'use client';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import type { DataTable } from '../charts/table';
import { maximise, useMaximised } from '../state/maximised';

const DataTableView = lazy(() => import('./DataTableView').then(({ DataTableView: view }) => ({ default: view })));

/** A part of the page: title and controls, a figure, and an aside with its exact numbers. */
export function Section(props: {
  id: string;
  title: ReactNode;
  controls?: ReactNode;
  aside: ReactNode;
  /** The figure's numbers, made when somebody asks to see them. */
  table?: () => DataTable;
  /** Whether the section can have the page for itself. */
  canMaximise?: boolean;
  children: ReactNode;
}) {
  const { id, title, controls, aside, table, canMaximise, children } = props;
  const maximised = useMaximised((s) => s.section === id);
  const [tabular, setTabular] = useState(false);
  return (
    <section
      className={maximised ? 'section maximised' : 'section'}
      id={id}
      aria-labelledby={`${id}-title`}
      data-export="figure"
    >
      <div className="column">
        <div className="head">
          <h2 id={`${id}-title`}>{title}</h2>
          {controls}
        </div>
        {children}
        {(table || canMaximise) && (
          <div className="foot">
            {table && (
              <button
                type="button"
                className="link"
                data-testid={`${id}-table`}
                aria-expanded={tabular}
                onClick={() => setTabular(!tabular)}
              >
                {tabular ? 'Hide the table' : 'Show as table'}
              </button>
            )}
            {canMaximise && (
              <button
                type="button"
                className="link"
                aria-pressed={maximised}
                onClick={() => maximise(maximised ? '' : id)}
              >
                {maximised ? 'Restore' : 'Maximise'} <kbd>M</kbd>
              </button>
            )}
          </div>
        )}
        {table && tabular && (
          <Suspense>
            <DataTableView table={table()} />
          </Suspense>
        )}
      </div>
      {aside}
    </section>
  );
}
