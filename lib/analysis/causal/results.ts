import type { OutputTensor } from '@/lib/checkpoint';
import type { Ablation } from './ablate';
import type { AblationAttribution } from './attributionAblate';
import type { CheckedAttribution } from './attributionCheck';
import type { KnockoutAttribution } from './attributionKnockout';
import { attributedEffects } from './attributionPatch';
import { CAUSAL_MEASURES, type CausalCellSummary, type CausalSummary } from './batch';
import type { Intervention } from './intervention';
import type { KnockoutGrid, Knockouts } from './knockout';
import type { LambdaOverride } from './lambda';
import { effectsOf, type PatchGrid } from './patch';
import type { Reading, Removed } from './reading';

/** Results as JSON values and as named tensors, the same for the command line and for HTTP. JSON writes NaN as null. */

/** A tensor of these values. */
export const tensorOf = (name: string, shape: readonly number[], values: ArrayLike<number>): OutputTensor => ({
  name,
  shape: [...shape],
  data: Float32Array.from(values),
});

/** [rows, columns] values as nested lists. */
const nested = (values: Float64Array, columns: number): number[][] =>
  Array.from({ length: values.length / columns }, (_, row) => [...values.slice(row * columns, (row + 1) * columns)]);

/** `patched` and `effect` by layer and span, and `patched` of every measure. */
export function patchJson({ patched, effect, spans, metrics, ...rest }: PatchGrid) {
  const rows = (values: Float64Array) => nested(values, spans.length);
  const each = Object.entries(metrics).map(([name, of]) => [name, { ...of, patched: rows(of.patched) }]);
  return { ...rest, spans, patched: rows(patched), effect: rows(effect), metrics: Object.fromEntries(each) };
}

/** `patch.patched`, `patch.effect`, and of every measure `patch.NAME.patched`, `patch.NAME.effect` [layers, spans]. */
export function patchTensors({ direction, layers, spans, patched, effect, metrics }: PatchGrid): OutputTensor[] {
  const shape = [layers.length, spans.length];
  const pair = (prefix: string, patched: Float64Array, effect: Float64Array) => [
    tensorOf(`${prefix}.patched`, shape, patched),
    tensorOf(`${prefix}.effect`, shape, effect),
  ];
  return [
    ...pair('patch', patched, effect),
    ...Object.entries(metrics).flatMap(([name, of]) => pair(`patch.${name}`, of.patched, effectsOf(of, direction))),
  ];
}

/** `patched` and `effect` by layer and span of every kind of point, and the cells that were checked. */
export function attributionJson({ points, ...rest }: CheckedAttribution) {
  const rows = (values: Float64Array) => nested(values, rest.spans.length);
  const each = points.map((own) => ({
    ...own,
    patched: rows(own.patched),
    effect: rows(attributedEffects(own, { points, ...rest })),
  }));
  return { ...rest, points: each };
}

/** `attribution.POINT.patched` and `attribution.POINT.effect` [layers, spans]. */
export function attributionTensors(found: CheckedAttribution): OutputTensor[] {
  const shape = [found.layers.length, found.spans.length];
  return found.points.flatMap((own) => [
    tensorOf(`attribution.${own.point}.patched`, shape, own.patched),
    tensorOf(`attribution.${own.point}.effect`, shape, attributedEffects(own, found)),
  ]);
}

/** `without` and `change` by row and span, as the model is and with frozen norms. */
export function knockoutJson({ without, change, frozen_norms, spans, ...rest }: KnockoutGrid) {
  const rows = (of: Knockouts) => ({
    without: nested(of.without, spans.length),
    change: nested(of.change, spans.length),
  });
  return { ...rest, spans, ...rows({ without, change }), frozen_norms: rows(frozen_norms) };
}

/** `knockout.without`, `knockout.change`, `knockout.frozen_norms.without`, … [rows, spans]. */
export function knockoutTensors({ layers, spans, without, change, frozen_norms }: KnockoutGrid): OutputTensor[] {
  const shape = [layers.length, spans.length];
  const pair = (prefix: string, of: Knockouts) => [
    tensorOf(`${prefix}.without`, shape, of.without),
    tensorOf(`${prefix}.change`, shape, of.change),
  ];
  return [...pair('knockout', { without, change }), ...pair('knockout.frozen_norms', frozen_norms)];
}

/** `without` and `change` by row and span, and the cells that were checked. */
export function knockoutAttributionJson({ without, change, ...rest }: KnockoutAttribution) {
  const rows = (values: Float64Array) => nested(values, rest.spans.length);
  return { ...rest, without: rows(without), change: rows(change) };
}

/** `knockout_attribution.without` and `knockout_attribution.change` [rows, spans]. */
export const knockoutAttributionTensors = ({ layers, spans, ...found }: KnockoutAttribution): OutputTensor[] =>
  (['without', 'change'] as const).map((name) =>
    tensorOf(`knockout_attribution.${name}`, [layers.length, spans.length], found[name]),
  );

const READING = [
  'value',
  'change',
  'target_prob',
  'target_rank',
  'target_log_odds',
  'margin',
  'margin_std',
  'snr_vocab',
  'snr_candidates',
  'kl',
] as const;

/** `ablate.value`, `ablate.change`, …, and the same as `ablate.frozen_norms.value`, … [runs]. */
export function readingTensors(runs: readonly Removed[]): OutputTensor[] {
  const named = (prefix: string, readings: readonly (Reading & { readonly change: number })[]) =>
    READING.map((name) =>
      tensorOf(
        `${prefix}.${name}`,
        [runs.length],
        readings.map((each) => each[name]),
      ),
    );
  return [
    ...named('ablate', runs),
    ...named(
      'ablate.frozen_norms',
      runs.map(({ frozen_norms }) => frozen_norms),
    ),
  ];
}

/** One run for each component. */
export const ablationJson = ({ components, ...rest }: Ablation) => ({ ...rest, runs: components });

export const ablationAttributionJson = ({ components, ...rest }: AblationAttribution) => ({
  ...rest,
  runs: components,
});

/** `ablate_attribution.value` and `ablate_attribution.change` [runs]. */
export const ablationAttributionTensors = ({ components }: AblationAttribution): OutputTensor[] =>
  (['value', 'change'] as const).map((name) =>
    tensorOf(
      `ablate_attribution.${name}`,
      [components.length],
      components.map((run) => run[name]),
    ),
  );

/** One run for each value and group of layers. */
export const lambdaJson = (override: LambdaOverride) => ({ ...override });

export const interventionJson = (found: Intervention) => ({ ...found });

/** `intervene.base.NAME`, `intervene.changed.NAME` and `intervene.frozen_norms.NAME` [layers], through the logit lens. */
export const interventionTensors = ({ layers }: Intervention): OutputTensor[] =>
  (['base', 'changed', 'frozen_norms'] as const).flatMap((which) =>
    READING.filter((name) => name !== 'change').map((name) =>
      tensorOf(
        `intervene.${which}.${name}`,
        [layers.length],
        layers.map((each) => each[which]?.[name] ?? Number.NaN),
      ),
    ),
  );

/**
 * `KIND.MODEL.MEASURE.CLASS` [rows, 4] of a batch: mean, lower and upper end of the interval, and prompts, NaN where nothing was measured; a
 * row a layer, window or part, in the order of the JSON. `KIND.MODEL.layers` [rows, 2] is the first and last layer of each.
 */
export function causalSummaryTensors(prefix: string, { cells }: Pick<CausalSummary, 'cells'>): OutputTensor[] {
  const rowOf = ({ layers, mixer, index }: CausalCellSummary) => [layers.join(), mixer, index].join('/');
  const rows = new Map(cells.map((cell) => [rowOf(cell), cell.layers]));
  const classes = [...new Set(cells.map((cell) => cell.class))];
  const at = new Map(cells.map((cell) => [`${rowOf(cell)} ${cell.class}`, cell]));
  const measures = (['effect', ...CAUSAL_MEASURES] as const).filter((measure) => cells.some((cell) => cell[measure]));
  return [
    tensorOf(
      `${prefix}.layers`,
      [rows.size, 2],
      [...rows.values()].flatMap((layers) => [layers[0], layers[layers.length - 1]]),
    ),
    ...measures.flatMap((measure) =>
      classes.map((name) => {
        const values = [...rows.keys()].flatMap((row) => {
          const {
            mean = Number.NaN,
            low = Number.NaN,
            high = Number.NaN,
            n = 0,
          } = at.get(`${row} ${name}`)?.[measure] ?? {};
          return [mean, low, high, n];
        });
        return tensorOf(`${prefix}.${measure}.${name}`, [rows.size, 4], values);
      }),
    ),
  ];
}
