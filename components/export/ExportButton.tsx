'use client';
import { lazy, Suspense, useState } from 'react';
import type { View } from '../data/view';

const ExportDialog = lazy(() => import('./ExportDialog').then((module) => ({ default: module.ExportDialog })));

/** Opens the export dialog, whose code is loaded with the first click. */
export function ExportButton({ view }: { view: View | undefined }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button quiet"
        data-shortcut="export"
        data-testid="export-button"
        title="Export figures and numbers (E)"
        onClick={() => setOpen(true)}
      >
        Export
      </button>
      {open && (
        <Suspense>
          <ExportDialog view={view} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
