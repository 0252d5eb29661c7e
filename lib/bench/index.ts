import { allocationBenchmark } from './allocation';
import { s6AttentionBenchmark, ssdAttentionBenchmark } from './attention';
import { decodeBenchmark } from './decode';
import { dispatchBenchmark } from './dispatches';
import { forms2Benchmark, formsBenchmark } from './forms';
import { growthBenchmark } from './growth';
import { lensBenchmark } from './lens';
import type { Benchmark } from './measure';
import { differentialBenchmark, mamba2Benchmark, mambaBenchmark } from './model';
import { peersBenchmark } from './peers';
import { selectiveScanBenchmark, ssdBenchmark } from './scans';
import { sgemm } from './sgemm';
import { trainingBenchmark } from './training';

export type { Benchmark, Measurement } from './measure';

/** Each answers one question; small ones first. */
export const BENCHMARKS: readonly Benchmark[] = [
  sgemm,
  selectiveScanBenchmark,
  ssdBenchmark,
  s6AttentionBenchmark,
  ssdAttentionBenchmark,
  lensBenchmark,
  formsBenchmark,
  forms2Benchmark,
  allocationBenchmark,
  mambaBenchmark,
  mamba2Benchmark,
  differentialBenchmark,
  decodeBenchmark,
  trainingBenchmark,
  growthBenchmark,
  peersBenchmark,
  dispatchBenchmark,
];
