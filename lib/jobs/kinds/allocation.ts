import { z } from 'zod';
import { type AllocationRequest, allocation, allocationResultSteps, drain, type LayerReads } from '@/lib/analysis';
import { withoutNeedle } from '@/lib/data/snr-examples';
import { Random } from '@/lib/random';
import { SWEEP_OPTIONS } from '@/lib/vocabulary/sweep-options';
import type { SweepKind } from '../kind';
import { batchItem, batchItems, batchLabel, batchShape, bySource } from './batch';

const schema = z.object({ ...batchShape, ...SWEEP_OPTIONS.allocation }).strict();
type Request = z.infer<typeof schema>;

/** What every layer reads at the answer: an item is a prompt of a model (`statescope allocation`). */
export const allocationKind: SweepKind<Request, readonly LayerReads[]> = {
  name: 'allocation',
  schema: schema as z.ZodType<Request>,
  items: batchItems,
  label: batchLabel,
  async run(request, item, bench) {
    const { model, source, example } = batchItem(request, item);
    const opened = await bench.model(model, request.weights);
    const { needle, ...one } = (await bench.examples(source, opened, model))[example];
    if (!needle) throw withoutNeedle(example, source.name);
    const asked: AllocationRequest = { ...one, needle, layers: request.layers };
    return allocation(opened.model, asked);
  },
  summarise(request, results) {
    const resampling = () => ({
      prompts: new Random(request.seed),
      seeds: new Random(request.seed + 1),
      resamples: request.resamples,
    });
    const sources = bySource(request, results).map(({ source, groups }) => {
      const found = groups.map((reads, g) => ({ names: request.models[g].map(({ name }) => name), reads }));
      return { source: source.name, ...drain(allocationResultSteps(found, resampling)) };
    });
    return { sources };
  },
};
