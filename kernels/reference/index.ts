/** The definition of every operation of ours: plain loops in float64, which all devices are tested against. */
export * from './block-attention';
export * from './causal-conv1d';
export * from './cross-entropy';
export * from './lens-statistics';
export * from './mixer-steps';
export type { Real } from './real';
export * from './rms-norm';
export * from './s6-attention';
export * from './selective-scan';
export * from './silu';
export * from './ssd-attention';
export * from './ssd-scan';
