import { allocation } from '@/lib/analysis';
import type { ModelConfig } from '@/lib/checkpoint';
import { type Benchmark, cpuMediansMs, type Measurement, measurement } from './measure';
import { finish } from './operands';
import { DIFF_MAMBA2_130M, MAMBA_130M, MAMBA2_130M, randomModel, tokensOf } from './shapes';

const L = 512;

/** What allocation adds to a forward pass, beside that pass. */
function beside(device: string, what: string, config: ModelConfig): Measurement {
  const model = randomModel(config);
  try {
    const [tokens] = tokensOf(1, L, config.V);
    const spans = { needle: [20, 24], competing: [[40, 44]], question: [[500, 508]] } as const;
    const [forward, both] = cpuMediansMs(
      () => finish(() => model.forward([tokens], { logits: 'last' })),
      () => allocation(model, { tokens, target: 3, foil: 7, ...spans }),
    );
    const shape = `L=${L} d=${config.d}, ${config.blocks.length} layers`;
    const floor = 'the forward pass that it is part of; time of all cores, taking turns';
    return measurement({ what: `allocation after its pass, ${what}`, shape, device, floor }, both - forward, forward);
  } finally {
    model.dispose();
  }
}

/** What does the allocation of every layer cost beside the forward pass? Half of it at most. */
export const allocationBenchmark: Benchmark = {
  name: 'allocation',
  run: (device) => [
    beside(device, 'Mamba-130m', MAMBA_130M),
    beside(device, 'Mamba2-130m', MAMBA2_130M),
    beside(device, 'Diff-Mamba-2 alternate', DIFF_MAMBA2_130M),
  ],
};
