import { mixerStepCases } from '../../ops/mixer-step-cases';
import type { OpCase } from '../../ops/op-case';
import { smallCases } from '../../ops/op-cases';

/** Cases of the operations whose programs add up or compare values across their threads. */
export const reducingCases = (): OpCase[] =>
  [...smallCases(), ...mixerStepCases()].filter(({ name }) =>
    /^(rmsNorm|crossEntropy|ssdScan|mamba[12]Step)/.test(name),
  );
