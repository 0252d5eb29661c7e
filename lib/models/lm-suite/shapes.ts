import { architectureOf } from '@/lib/architectures';
import type { Shape } from '@/lib/architectures/types';
import { clustersOf, tablesOf } from './clusters';
import { FFN_EXPANSION, type LmSuiteConfig, type SubLayer, subLayersOf } from './config';

type Named = [name: string, shape: Shape];

/** The suite's name, below `layers.j.layer`, of a tensor that a block knows by another (equations B6). */
export const suiteName = (name: string): string => name.replace(/^mixer\./, '').replace(/^mixer_([12])\./, 'm$1.');

/** Tensors of one mixer, by the name that the block reads and its shape. */
export const mixerTensors = (layer: Extract<SubLayer, { kind: 'mixer' }>): Named[] =>
  architectureOf(layer.block).tensors(layer.block);

function subLayerTensors(layer: SubLayer, d: number): Named[] {
  if (layer.kind === 'mixer') return mixerTensors(layer).map(([name, shape]) => [suiteName(name), shape]);
  const inner = FFN_EXPANSION * d;
  return [
    ['ff.0.0.weight', [inner, d]],
    ['ff.0.0.bias', [inner]],
    ['ff.2.weight', [d, inner]],
    ['ff.2.bias', [d]],
  ];
}

function embeddingTensors(config: LmSuiteConfig): Named[] {
  const tables = tablesOf(config);
  const vectors = tables.map(({ from, to, width }, i): Named => [`encoder.emb_layers.${i}.weight`, [to - from, width]]);
  if (config.divVal === 1) return vectors;
  return [...vectors, ...tables.map(({ width }, i): Named => [`encoder.emb_projs.${i}`, [config.d, width]])];
}

function softmaxTensors(config: LmSuiteConfig): Named[] {
  const { d, divVal } = config;
  const tails = clustersOf(config).length - 1;
  const rows: Named[] = [
    ['loss.cluster_weight', [tails, d]],
    ['loss.cluster_bias', [tails]],
  ];
  const biases = tablesOf(config).map(({ from, to }, i): Named => [`loss.out_layers_biases.${i}`, [to - from]]);
  const projection: Named = ['loss.out_projs.0', [d, d]];
  return [...(tails > 0 ? rows : []), ...biases, ...(divVal === 1 ? [] : [projection])];
}

/**
 * Every parameter of a suite model by its name in the authors' state dict (equations B6) without the leading `model.`,
 * in the order in which a forward pass meets them. The softmax owns no word vectors: they are those of the embedding.
 * It
 * shares the projections of the tail clusters, but has one of its own for the head (equations E2's counts contain it).
 */
export function lmSuiteTensors(config: LmSuiteConfig): Map<string, Shape> {
  const subLayers = subLayersOf(config).flatMap((layer, j): Named[] => [
    ...subLayerTensors(layer, config.d).map(([name, shape]): Named => [`layers.${j}.layer.${name}`, shape]),
    [`layers.${j}.norm.norm.weight`, [config.d]],
    [`layers.${j}.norm.norm.bias`, [config.d]],
  ]);
  return new Map([...embeddingTensors(config), ...subLayers, ...softmaxTensors(config)]);
}

/** Number of parameters, counted from the shapes; some of the published counts leave out embedding and softmax. */
export function parameterCount(config: LmSuiteConfig, part: 'all' | 'sub-layers' = 'all'): number {
  let count = 0;
  for (const [name, shape] of lmSuiteTensors(config))
    if (part === 'all' || name.startsWith('layers.')) count += shape.reduce((product, size) => product * size, 1);
  return count;
}

/**
 * The suite's weight decay (equations F): none on A_log, D, dt_bias, biases and LayerNorms of the sub-layers; λ,
 * sub-norms and gated norms decay, and so does all of the embedding and softmax, biases included.
 */
export function decaysInSuite(name: string): boolean {
  if (!name.startsWith('layers.')) return true;
  return !/\.(A[12]?_log|D[12]?|dt[12]?_bias|bias|norm\.norm\.weight)$/.test(name);
}
