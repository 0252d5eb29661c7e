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
  /** Controls that a first question does without; they open under “More”. */
  more?: ReactNode;
  /** How many of those are set to something else than at first: what is not seen is counted. */
  moreSet?: number;
  aside: ReactNode;
  /** The figure's numbers, made when somebody asks to see them. */
  table?: () => DataTable;
  /** Whether the section can have the page for itself. */
  canMaximise?: boolean;
  children: ReactNode;
}) {
  const { id, title, controls, more, moreSet = 0, aside, table, canMaximise, children } = props;
  const maximised = useMaximised((s) => s.section === id);
  const [tabular, setTabular] = useState(false);
  const [open, setOpen] = useState(false);
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
          {more && (
            <>
              <button
                type="button"
                className="button low more-button"
                data-testid={`${id}-more`}
                aria-expanded={open}
                aria-controls={`${id}-more-controls`}
                onClick={() => setOpen(!open)}
              >
                {open ? 'Less' : 'More'}
                {!open && moreSet > 0 && <small> {moreSet} set</small>}
              </button>
              <div className="more" id={`${id}-more-controls`} hidden={!open}>
                {more}
              </div>
            </>
          )}
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
