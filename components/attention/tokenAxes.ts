import { useMemo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { type AxisLabels, axisLabels } from '../charts/axisLabels';
import { labelPriorities } from '../charts/labels';
import type { MapLayout } from '../charts/mapLayout';
import { sameWord } from '../charts/tokens';
import type { MapFrame } from '../charts/window';
import { type ModelView, ownToken } from '../data/view';
import type { Cell } from '../state/selection';

export interface LabelsProps {
  readonly model: ModelView;
  readonly layout: MapLayout;
  readonly frame: MapFrame;
  readonly target: string;
  readonly lock: Cell | null;
  /** Whether row labels stand left of this map. */
  readonly rows: boolean;
}

/** The labels of one axis, and which of them stand out. */
export interface TokenAxis extends AxisLabels {
  readonly tokens: readonly Token[];
  readonly strong: (token: number) => boolean;
}

/** The importance of every token's label on a map. */
export function prioritiesOf(model: ModelView, target: string, lock: Cell | null): Float32Array {
  const { tokens, position, needle } = model;
  const own = lock && { destination: ownToken(model, lock.destination), source: ownToken(model, lock.source) };
  const cell =
    own?.destination !== undefined && own.source !== undefined
      ? { destination: own.destination, source: own.source }
      : undefined;
  return labelPriorities(tokens, { position, needle, target, lock: cell });
}

/** The labels of both axes of a map. */
export function useTokenAxes({ model, layout, frame, target, lock }: LabelsProps): {
  down: TokenAxis;
  across: TokenAxis;
} {
  const { narrow, lanes } = layout;
  const { tokens, position } = model;
  const { region, cellWidth, cellHeight } = frame;
  const priorities = useMemo(() => prioritiesOf(model, target, lock), [model, target, lock]);
  return useMemo(() => {
    const { row0, row1, column0, column1 } = region;
    const strong = (k: number) => k === position || sameWord(tokens[k].text, target);
    const down = axisLabels({ side: 'row', from: row0, to: row1, pitch: cellHeight }, priorities, lanes, narrow);
    const across = axisLabels(
      { side: 'column', from: column0, to: column1, pitch: cellWidth },
      priorities,
      lanes,
      narrow,
    );
    return { down: { ...down, tokens, strong }, across: { ...across, tokens, strong } };
  }, [region, cellWidth, cellHeight, priorities, lanes, narrow, tokens, position, target]);
}
