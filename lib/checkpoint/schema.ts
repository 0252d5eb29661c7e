/** Which tensors, of which shapes, a model must have. */

import { blockPrefix, EMBEDDING, FINAL_NORM, HEAD } from './names';
import { type BlockConfig, InputError, type MixerConfig, type ModelConfig } from './types';

export type Shape = readonly number[];

type Shapes = [name: string, shape: Shape][];

function projection(name: string, outputs: number, inputs: number, bias: boolean): Shapes {
  const weight: Shapes = [[`${name}.weight`, [outputs, inputs]]];
  return bias ? [...weight, [`${name}.bias`, [outputs]]] : weight;
}

function convolution(channels: number, { K, useConvBias }: MixerConfig): Shapes {
  const weight: Shapes = [['conv1d.weight', [channels, 1, K]]];
  return useConvBias ? [...weight, ['conv1d.bias', [channels]]] : weight;
}

/** Parameters of one selective scan (spec A1); `branch` numbers those of a Diff-S6 mixer. */
function selectiveScan({ E, N, R }: MixerConfig, branch: '' | '1' | '2' = ''): Shapes {
  return [
    [`x${branch}_proj.weight`, [R + 2 * N, E]],
    ...projection(`dt${branch}_proj`, E, R, true),
    [`A${branch}_log`, [E, N]],
    [`D${branch}`, [E]],
  ];
}

/** Parameters of one state-space dual (spec A2). */
function stateSpaceDual({ H }: MixerConfig, branch: '' | '1' | '2' = ''): Shapes {
  return [
    [`dt${branch}_bias`, [H]],
    [`A${branch}_log`, [H]],
    [`D${branch}`, [H]],
  ];
}

function mamba1Mixer(m: MixerConfig): Shapes {
  return [
    ...projection('in_proj', 2 * m.E, m.d, m.useBias),
    ...convolution(m.E, m),
    ...selectiveScan(m),
    ...projection('out_proj', m.d, m.E, m.useBias),
  ];
}

const mamba2Rows = ({ E, G, N, H }: MixerConfig) => 2 * E + 2 * G * N + H;

function mamba2Mixer(m: MixerConfig): Shapes {
  return [
    ...projection('in_proj', mamba2Rows(m), m.d, m.useBias),
    ...convolution(m.E + 2 * m.G * m.N, m),
    ...stateSpaceDual(m),
    ['norm.weight', [m.E]],
    ...projection('out_proj', m.d, m.E, m.useBias),
  ];
}

function diffS6Mixer(m: MixerConfig): Shapes {
  return [
    ...projection('in_proj', 2 * m.E, m.d, m.useBias),
    ...convolution(m.E, m),
    ...selectiveScan(m, '1'),
    ...selectiveScan(m, '2'),
    ...projection('out_proj', m.d, m.E, m.useBias),
  ];
}

function diffS6Mamba2Mixer(m: MixerConfig): Shapes {
  return [
    ...projection('in_proj1', mamba2Rows(m), m.d, m.useBias),
    ...projection('in_proj2', mamba2Rows(m), m.d, m.useBias),
    ...convolution(m.E + 2 * m.G * m.N, m),
    ...stateSpaceDual(m, '1'),
    ...stateSpaceDual(m, '2'),
    ['norm.weight', [m.E]],
    ...projection('out_proj', m.d, m.E, m.useBias),
  ];
}

/** λ vectors and subln weight. @param difference width of what is subtracted @param normed width of what is normed */
function differential({ lambda, subln, mixer }: BlockConfig, difference: number, normed: number): Shapes {
  const weight: Shapes = subln ? [['subln.weight', [normed]]] : [];
  if (lambda === 'exp') {
    const vectors = ['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2'];
    return [...vectors.map((name): [string, Shape] => [name, [mixer.N]]), ...weight];
  }
  if (lambda === 'sigmoid_sum') return [['lambda_q1', [mixer.d]], ...weight];
  if (lambda === 'sigmoid_scalar') return [['lambda_q1', [1]], ...weight];
  if (lambda === 'sigmoid_channel') return [['lambda_q1', [difference]], ...weight];
  return weight;
}

const under = (prefix: string, shapes: Shapes): Shapes => shapes.map(([name, shape]) => [`${prefix}.${name}`, shape]);

/** Tensors of one block without its norm, by name below `backbone.layers.i`, and their shapes. */
export function blockTensors(block: BlockConfig): Shapes {
  const { kind, mixer } = block;
  const { d, E } = mixer;
  switch (kind) {
    case 'mamba1':
      return under('mixer', mamba1Mixer(mixer));
    case 'mamba2':
      return under('mixer', mamba2Mixer(mixer));
    case 'diff_mamba1':
    case 'diff_mamba2': {
      const one = kind === 'diff_mamba1' ? mamba1Mixer(mixer) : mamba2Mixer(mixer);
      return [...under('mixer_1', one), ...under('mixer_2', one), ...differential(block, d, d)];
    }
    case 'diff_mamba2e':
      return [...under('mixer', mamba2Mixer(mixer)), ...differential(block, d / 2, d)];
    case 'diff_s6':
      return under('mixer', diffS6Mixer(mixer));
    case 'diff_s6_mamba2':
      return under('mixer', [...diffS6Mamba2Mixer(mixer), ...differential(block, E, E)]);
  }
}

/** Every tensor of a model by its Hugging Face name, in the order in which a forward pass meets them. */
export function expectedTensors(config: ModelConfig): Map<string, Shape> {
  const tensors: Shapes = [[EMBEDDING, [config.V, config.d]]];
  config.blocks.forEach((block, i) => {
    const prefix = blockPrefix(i);
    tensors.push([`${prefix}norm.weight`, [config.d]]);
    for (const [name, shape] of blockTensors(block)) tensors.push([prefix + name, shape]);
  });
  tensors.push([FINAL_NORM, [config.d]]);
  if (!config.tied) tensors.push([HEAD, [config.V, config.d]]);
  return new Map(tensors);
}

const SHOWN = 3;

function list(faults: readonly string[]): string {
  const rest = faults.length - SHOWN;
  return faults.slice(0, SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/**
 * Compares stored shapes with the expected ones.
 * @throws InputError, one sentence that names the first few missing, unknown and misshapen tensors
 */
export function checkTensors(config: ModelConfig, stored: ReadonlyMap<string, Shape>, label: string): void {
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !stored.has(name));
  const unknown = [...stored.keys()].filter((name) => !expected.has(name));
  const misshapen = [...expected].flatMap(([name, shape]) => {
    const found = stored.get(name);
    return found && found.join() !== shape.join() ? [`${name} [${found}] instead of [${shape}]`] : [];
  });
  const faults = [
    missing.length > 0 && `missing: ${list(missing)}`,
    unknown.length > 0 && `unknown: ${list(unknown)}`,
    misshapen.length > 0 && `of the wrong shape: ${list(misshapen)}`,
  ].filter(Boolean);
  if (faults.length === 0) return;
  throw new InputError(`${label}: the weights do not fit the config; tensors ${faults.join('; ')}.`);
}
