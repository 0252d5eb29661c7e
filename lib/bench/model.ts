import * as tf from '@tensorflow/tfjs';
import { blockCache, captureNames, scanAttention } from '@/lib/analysis';
import { NARROW_POINTS } from '@/lib/architectures/places';
import type { ModelConfig } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import { type Benchmark, type Measurement, measurement, medianMs, mediansMs } from './measure';
import { finish } from './operands';
import { productsMs } from './products';
import { DIFF_MAMBA2_130M, MAMBA_130M, MAMBA2_130M, randomModel, tokensOf } from './shapes';

function whole(device: string, what: string, shape: ModelConfig): Measurement[] {
  const L = 512;
  const floor = productsMs(shape, L);
  const model = randomModel(shape);
  const tokens = tokensOf(1, L, shape.V);
  const median = medianMs(() => finish(() => model.forward(tokens)));
  const { d, V, blocks } = shape;
  const layout = `L=${L} d=${d}, ${blocks.length} layers, V=${V}`;
  const lines = [
    measurement({ what: `forward, ${what}`, shape: layout, device, floor: 'its matrix products alone' }, median, floor),
    measurement(
      { what: `all layers' mean attention, ${what}`, shape: layout, device, floor: 'a forward pass without hooks' },
      medianMs(() => attentionOfAllLayers(model, tokens)),
      median,
    ),
  ];
  lines.push(lastLogits(device, what, model, layout), cacheOfAllPoints(device, what, model, layout));
  model.dispose();
  return lines;
}

/** A forward pass of the same tokens whose last position alone is unembedded. */
function lastLogits(device: string, what: string, model: Model, layout: string): Measurement {
  const L = 512;
  const tokens = tokensOf(1, L, model.config.V);
  const floor = productsMs({ ...model.config, V: 0 }, L);
  const median = medianMs(() => finish(() => model.forward(tokens, { logits: 'last' })));
  const labels = { what: `forward, last logits, ${what}`, shape: layout, device };
  return measurement({ ...labels, floor: 'its matrix products alone, without the head' }, median, floor);
}

/** A run that keeps every point except decays and states, of half the tokens. */
function cacheOfAllPoints(device: string, what: string, model: Model, layout: string): Measurement {
  const tokens = tokensOf(1, 256, model.config.V);
  const plain = medianMs(() => finish(() => model.forward(tokens)));
  const median = medianMs(() => {
    const { logits, cache } = model.runWithCache(tokens, { names: NARROW_POINTS });
    for (const value of cache.values()) value.dispose();
    logits.dispose();
  });
  const labels = { what: `all points kept, ${what}`, shape: layout.replace('512', '256'), device };
  return measurement({ ...labels, floor: 'the forward pass without hooks' }, median, plain);
}

/** A forward pass that makes the channel-mean map of every layer on its way. */
function attentionOfAllLayers(model: Model, tokens: number[][]): void {
  const { config } = model;
  const kept = new Map<string, tf.Tensor>();
  const keep = (value: tf.Tensor, name: string) => void kept.set(name, tf.keep(value.clone()));
  const names = config.blocks.flatMap((_, i) => captureNames(config, i));
  const run = model.blocksOf(
    tokens,
    names.map((name) => [name, keep] as const),
  );
  let step = run.next();
  while (!step.done) {
    for (const inputs of blockCache(config, step.value.index, kept).scans.values())
      scanAttention(inputs, { how: 'mean' });
    for (const value of kept.values()) value.dispose();
    kept.clear();
    step = run.next();
  }
  step.value.dispose();
}

/** How near does a whole forward pass of Mamba-130m come to its products, and what do all its maps add? */
export const mambaBenchmark: Benchmark = {
  name: 'mamba-130m',
  run: (device) => whole(device, 'Mamba-130m', MAMBA_130M),
};

/** The same of Mamba2-130m. */
export const mamba2Benchmark: Benchmark = {
  name: 'mamba2-130m',
  run: (device) => whole(device, 'Mamba2-130m', MAMBA2_130M),
};

/** What does the differential form cost beside its plain twin? The two take turns. */
export const differentialBenchmark: Benchmark = {
  name: 'diff-mamba2-130m',
  run: (device) => {
    const L = 512;
    const [plain, differential] = [MAMBA2_130M, DIFF_MAMBA2_130M].map(randomModel);
    const tokens = tokensOf(1, L, plain.config.V);
    const forward = (model: Model, logits: 'all' | 'last') => () => finish(() => model.forward(tokens, { logits }));
    const { d, V, blocks } = plain.config;
    const shape = `L=${L} d=${d}, ${blocks.length} layers, V=${V}`;
    const lines = (['all', 'last'] as const).map((logits) => {
      const [twin, median] = mediansMs(forward(plain, logits), forward(differential, logits));
      const what = `forward, ${logits} logits, Diff-Mamba-2 alternate`;
      return measurement({ what, shape, device, floor: 'Mamba2-130m, taking turns' }, median, twin);
    });
    plain.dispose();
    differential.dispose();
    return lines;
  },
};
