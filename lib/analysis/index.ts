export * from './attribution';
export * from './bootstrap';
export * from './lens';
export * from './s6Attention';
export * from './snr';
export * from './snrBatch';
export * from './tunedLens';
