'use client';
import { useEffect } from 'react';
import { rememberView } from '../state/links';

/** Leads to the list of runs, and remembers how the run on the page was left. */
export function RunsLink() {
  useEffect(() => {
    const remember = () => rememberView(location.search);
    window.addEventListener('pagehide', remember);
    return () => window.removeEventListener('pagehide', remember);
  }, []);
  return (
    <a className="button quiet" href="/runs" data-testid="runs-link">
      Runs
    </a>
  );
}
