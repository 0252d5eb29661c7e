import type { LayerAxis } from '../charts/layerAxis';

/** The upper end of the λ sliders: well above the model's own values. */
export const lambdaTop = (own: readonly (number | null)[]): number =>
  Math.max(2, Math.ceil(2 * Math.max(0, ...own.map((value) => value ?? 0))) / 2 + 0.5);

/** From this width of a column on every layer has controls of its own. */
const LEAST = 12;
const COMFORTABLE = 26;
/** A number such as 0.62 needs this width. */
const ROOM_FOR_NUMBER = 30;

export interface ControlSizes {
  /** Whether every layer has controls; else the selected one has, and marks stand for the others. */
  readonly every: boolean;
  /** Width of a switch or slider, centred on its layer. */
  readonly width: number;
  /** Whether every λ is written; else those that are set, and the selected layer's. */
  readonly numbers: boolean;
}

/** How controls shrink with the columns of the layer axis; they stand under their layers at any depth. */
export const controlSizes = ({ pitch }: LayerAxis): ControlSizes => ({
  every: pitch >= LEAST,
  width: pitch >= LEAST ? Math.min(COMFORTABLE, Math.floor(pitch)) : COMFORTABLE,
  numbers: pitch >= ROOM_FOR_NUMBER,
});
