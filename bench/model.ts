import * as tf from '@tensorflow/tfjs';
import { blockCache, captureNames, scanAttention } from '@/lib/analysis';
import type { ModelConfig } from '@/lib/checkpoint';
import { patternsOf } from '@/lib/cli/commands/run';
import { lossAndGradients, type Model } from '@/lib/models';
import { AdamW, decaysInLanguageModels } from '@/lib/training';
import { type Benchmark, type Measurement, measurement, medianMs } from './measure';
import { finish, scoped, tensor } from './operands';
import { MAMBA_130M, MAMBA2_130M, productsOf, randomModel, SMALL, tokensOf } from './shapes';

/** Milliseconds of all the products of a forward pass of this many tokens, one after the other. */
function productsMs(shape: ModelConfig, tokens: number): number {
  return scoped(() => {
    const operands = productsOf(shape).map(
      ([k, n]) => [tensor<tf.Rank.R2>([tokens, k]), tensor<tf.Rank.R2>([n, k])] as const,
    );
    return medianMs(() => {
      for (const [a, b] of operands) finish(() => tf.matMul(a, b, false, true));
    });
  });
}

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
  lines.push(cacheOfAllPoints(device, what, model, layout));
  model.dispose();
  return lines;
}

/** A run that keeps every point except decays and states, of half the tokens. */
function cacheOfAllPoints(device: string, what: string, model: Model, layout: string): Measurement {
  const tokens = tokensOf(1, 256, model.config.V);
  const names = patternsOf(['all']);
  const plain = medianMs(() => finish(() => model.forward(tokens)));
  const median = medianMs(() => {
    const { logits, cache } = model.runWithCache(tokens, { names });
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

/** How near does a training step come to the products of its forward and backward passes? */
export const trainingBenchmark: Benchmark = {
  name: 'training step',
  run: (device) => {
    const [rows, L] = [4, 512];
    const floor = 3 * productsMs(SMALL, rows * L);
    const model = randomModel(SMALL);
    const optimizer = new AdamW(model.parameters, {
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0.1,
      decays: decaysInLanguageModels,
    });
    const tokens = tf.tensor2d(tokensOf(rows, L, SMALL.V).flat(), [rows, L], 'int32');
    const median = medianMs(() => {
      const { loss, gradients } = lossAndGradients(model, tokens);
      loss.dispose();
      optimizer.step(new Map([...gradients].map(([name, value]) => [name, value.dataSync() as Float32Array])), 1e-4);
      for (const gradient of gradients.values()) gradient.dispose();
    });
    const shape = `batch ${rows}×${L}, d=${SMALL.d}, ${SMALL.blocks.length} layers, V=${SMALL.V}`;
    tokens.dispose();
    model.dispose();
    return [
      measurement(
        { what: 'training step', shape, device, floor: 'three times the matrix products of the forward pass' },
        median,
        floor,
      ),
    ];
  },
};
