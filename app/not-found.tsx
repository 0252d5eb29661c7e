import type { Metadata } from 'next';
import { PageBar } from '@/components/ui/tools';

export const metadata: Metadata = { title: 'Not found · Statescope' };

export default function NotFound() {
  return (
    <>
      <PageBar>
        <a className="button quiet" href="/runs">
          Runs
        </a>
      </PageBar>
      <main className="compare-page">
        <h2>There is no page at this address</h2>
        <p className="note">
          The workbench is at <a href="/">/</a>, the list of runs at <a href="/runs">/runs</a>, the HTTP interface at{' '}
          <a href="/api-docs">/api-docs</a>.
        </p>
      </main>
    </>
  );
}
