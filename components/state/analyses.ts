import type { AnalysisEvent } from '@/lib/api/causal';
import { client } from '../data/client';
import type { Transport } from './job';

/** How analyses are followed and cancelled. */
export const ANALYSES: Transport<AnalysisEvent> = {
  follow: (id, tell, lost) => client.followAnalysis(id, tell, lost),
  cancel: async (id) => ({ event: 'analysis', data: await client.cancelAnalysis(id) }),
};
