import type { AnalysisRequestInput } from './causal';

/** A part of a model that an intervention takes out. */
export type Part = NonNullable<Extract<AnalysisRequestInput, { kind: 'intervene' }>['removed']>[number];

const NAME = /^(\d{1,5})(?:\.(mixer_1|mixer_2))?(?:\.(head|channel)\.(\d{1,6}))?$/;

/** A part by its name: `2` (block), `2.mixer_1`, `2.head.3`, `2.mixer_1.head.3`, `2.channel.7`; undefined for other text. */
export function partNamed(name: string): Part | undefined {
  const found = NAME.exec(name);
  if (!found) return undefined;
  const [, layer, mixer, unit, index] = found as unknown as [
    string,
    string,
    Part['mixer'],
    Part['unit'] | undefined,
    string,
  ];
  return {
    layer: Number(layer),
    unit: unit ?? (mixer ? 'mixer' : 'block'),
    ...(mixer && { mixer }),
    ...(unit && { index: Number(index) }),
  };
}
