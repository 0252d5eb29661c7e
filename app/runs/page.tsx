import type { Metadata } from 'next';
import { RunsPage } from '@/components/runs/RunsPage';

export const metadata: Metadata = { title: 'Runs · Statescope' };

export default function Page() {
  return <RunsPage />;
}
