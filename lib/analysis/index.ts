export * from './lens';
export * from './s6Attention';
export * from './snr';
export * from './tunedLens';
