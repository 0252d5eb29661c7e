/** The operations that tfjs lacks, with gradients; each device registers the kernels behind them. */
export * from './attention';
export * from './block-attention';
export * from './causal-conv1d';
export * from './column-norms';
export * from './cross-entropy';
export { fromHalves, type HalfFormat, keepsHalves, roundToBfloat16, toBfloat16Values } from './halves';
export * from './lens-statistics';
export * from './mixer-steps';
export * from './part-sizes';
export { KERNELS, type KernelName } from './registry';
export * from './rms-norm';
export * from './s6-mixer';
export * from './selective-scan';
export * from './silu';
export * from './source-row';
export * from './ssd-mixer';
export * from './ssd-scan';
export { OperandError } from './validate';
