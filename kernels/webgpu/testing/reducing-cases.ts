import * as tf from '@tensorflow/tfjs';
import { mixerStepCases } from '../../ops/mixer-step-cases';
import type { OpCase } from '../../ops/op-case';
import { smallCases } from '../../ops/op-cases';
import type { Backend, Program } from '../program';

/** Cases of the operations whose programs add up or compare values across their threads. */
export const reducingCases = (): OpCase[] =>
  [...smallCases(), ...mixerStepCases()].filter(({ name }) =>
    /^(rmsNorm|crossEntropy|ssdScan|mamba[12]Step)/.test(name),
  );

/** Of the programs of those cases, the ones that reduce, by name. */
export const REDUCING_PROGRAMS = [
  'log sum exp',
  'mean loss',
  'rms norm',
  'rms norm grad',
  'row product',
  'ssd scan grad of B, C and delta',
  'ssd step',
];

/** Programs that reduce, by name, and the WGSL that they were queued with while `body` ran. */
export function reducingPrograms(body: () => void): Map<string, string> {
  const seen = new Map<string, string>();
  const backend = tf.backend() as Backend;
  const queue = backend.queueProgram.bind(backend);
  const run: Backend['queueProgram'] = (program, ...rest) => {
    if ((program as Program).reduces)
      seen.set(program.shaderKey.split('{')[0].replace('statescope', '').trim(), program.getUserCode());
    return queue(program, ...rest);
  };
  Object.assign(backend, { queueProgram: run });
  try {
    body();
  } finally {
    Reflect.deleteProperty(backend, 'queueProgram');
  }
  return seen;
}
