import type { Scan } from '../types';
import { S6_POINTS, SSD_POINTS } from './points';

/** The Mamba-1 scan of a mixer that shares nothing. @param mixer where its parameters lie */
export const s6Scan = (name: Scan['name'], mixer: string): Scan => ({
  name,
  family: 'mamba1',
  points: S6_POINTS,
  shared: [],
  inner: 'after_skip',
  parameters: { conv: `${mixer}.conv1d`, D: `${mixer}.D`, outProj: `${mixer}.out_proj` },
});

/** The same of Mamba-2. */
export const ssdScan = (name: Scan['name'], mixer: string): Scan => ({
  name,
  family: 'mamba2',
  points: SSD_POINTS,
  shared: [],
  inner: 'gated_norm',
  parameters: {
    conv: `${mixer}.conv1d`,
    D: `${mixer}.D`,
    norm: `${mixer}.norm.weight`,
    outProj: `${mixer}.out_proj`,
  },
});
