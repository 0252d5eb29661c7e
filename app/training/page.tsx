import type { Metadata } from 'next';
import { TrainingPage } from '@/components/training/TrainingPage';

export const metadata: Metadata = { title: 'Training · Statescope' };

export default function Page() {
  return <TrainingPage />;
}
