import type { Metadata } from 'next';
import '@/components/styles/runs.css';
import { RunsPage } from '@/components/runs/RunsPage';

export const metadata: Metadata = { title: 'Runs · Statescope' };

export default function Page() {
  return <RunsPage />;
}
