'use client';
import { memo, useMemo } from 'react';
import type { BlockSummary } from '@/lib/api/schemas';
import { formatPlain } from '@/lib/figures/numbers';
import { colourTable } from '@/lib/figures/palette';
import { DIFFERENCE_TERMS, type DifferenceTerm } from '@/lib/vocabulary';
import { wholeMap } from '../charts/pyramid';
import { lookUp, type Raster, rasterise } from '../charts/raster';
import { saturation, valueScale } from '../charts/values';
import { cellsOf, ERROR_LIMIT, errorTooLarge } from '../data/drawnMaps';
import type { LayerMaps } from '../data/mapQueries';
import type { MapPanel } from '../data/panels';
import { BRANCH_NAMES, blockName, hasBranches, isDiff, isParallel, type ModelView } from '../data/view';
import { isOfSizes, isSigned, overLayers, reduces, select, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { PixelCanvas } from '../ui/canvas';
import { usePixelRatio } from '../ui/measure';
import { Id } from '../ui/parts';

const SIDE = 44;
/** The three small maps saturate at this share of their common limit. */
const GAIN = 0.7;

const MIXER_COUNTS = ['no mixer', 'one mixer', 'two mixers'] as const;

const mixersOf = (block: BlockSummary): 0 | 1 | 2 =>
  block.branches.length === 0 ? 0 : hasBranches(block) || isParallel(block) ? 2 : 1;

/** Name, block, λ and map error of one map. */
export const MapName = memo(function MapName({ entry, layer }: { entry: LayerMaps; layer: number }) {
  const { model, branch, map } = entry;
  const block = model.model.blocks[layer];
  const reduction = useSelection((s) => s.reduction);
  const part = useSelection((s) => s.part[model.slot]);
  const product = useSelection(overLayers);
  const named = !product && branch !== 'single' && branch !== 'mixer_2';
  const branchName = named ? `, ${BRANCH_NAMES[branch]}` : isParallel(block) && !product ? ', both mixers' : '';
  const form = useSelection((s) => s.form);
  const partName =
    reduction === 'one' && reduces(form) && block ? `, ${block.heads > 0 ? 'head' : 'channel'} ${part}` : '';
  const error = map?.metadata.reconstruction_error;
  const tooLarge = errorTooLarge(error);
  return (
    <div className="map-name">
      <Id slot={model.slot} />
      <div>
        <b>
          {model.name}
          {branchName}
          {partName}
        </b>
        <small>
          {block
            ? `${blockName(block)} block, ${MIXER_COUNTS[mixersOf(block)]}${block.lambda === null ? '' : `, λ = ${block.lambda.toFixed(3)}`}`
            : `this model has ${model.layers} layers`}
        </small>
        <small className={tooLarge ? 'bad' : undefined} data-machine>
          {error === undefined
            ? // Why there is no map stands in its place.
              product && map
              ? `layers ${layer} to ${model.layers - 1}, one after the other`
              : '\u00a0'
            : tooLarge
              ? `map error ${formatPlain(error)}, above ${formatPlain(ERROR_LIMIT)}: do not read small values`
              : `map error ${formatPlain(error)}`}
        </small>
      </div>
    </div>
  );
});

/** The mark of a panel: a model's swatch, or Δ. */
export const PanelMark = ({ name, small }: { name: string; small?: boolean }) =>
  name === 'A' || name === 'B' ? (
    <Id slot={name} small={small} />
  ) : (
    <span className={`id neutral${small ? ' small' : ''}`}>{name}</span>
  );

/** The name of a panel that is not a model's chosen map: a branch, or B − A. */
export function PanelName({ panel }: { panel: MapPanel }) {
  const rows = useSelection((s) => s.values === 'row');
  return (
    <div className="map-name">
      <PanelMark name={panel.name} />
      <div>
        <b>{panel.branch ?? 'B − A, cell by cell'}</b>
        {!panel.branch && <small>{rows ? 'of row shares' : 'on the shared scale, symmetric'}</small>}
      </div>
    </div>
  );
}

/** mixer 1 − λ·mixer 2 = difference, as a radio group of small maps on one scale. */
export const BranchEquation = memo(function BranchEquation(props: {
  model: ModelView;
  branches: LayerMaps['branches'];
  layer: number;
  testIds: string;
}) {
  const { model, branches, layer, testIds } = props;
  const chosen = useSelection((s) => s.branch);
  // A difference of two branches is signed, of sizes too; lengths of contributions are of each operator by itself.
  const signed = useSelection((s) => isSigned(s) || isOfSizes(s));
  const product = useSelection(overLayers);
  const palette = usePalette();
  const pixels = Math.round(SIDE * usePixelRatio());
  const [first, second, difference] = DIFFERENCE_TERMS.map((term) => branches?.[term]);
  const rasters = useMemo(() => {
    const maps = [first, second, difference].map((map) => map && cellsOf(map.data, map.L, 'linear'));
    const present = maps.flatMap((map) => (map ? [map.half] : []));
    if (present.length === 0) return [];
    const scale = valueScale(saturation(present) * GAIN, signed, 'linear');
    const table = colourTable(palette, signed ? 'diverging' : 'sequential');
    return maps.map((map) => {
      if (!map) return undefined;
      const colours = lookUp(scale, table, palette.mask, map.half.unit);
      return rasterise(map.pyramid, colours, wholeMap(map.half.L), { width: pixels, height: pixels });
    });
  }, [first, second, difference, signed, palette, pixels]);
  if (!hasBranches(model.model.blocks[layer])) {
    if (isDiff(model.model.blocks[layer]))
      return (
        <span className="note">One mixer: the halves of its output are subtracted, and its scan has one map.</span>
      );
    return model.model.blocks.some(isDiff) ? <span className="note">Plain block: nothing to subtract.</span> : null;
  }
  if (product)
    return <span className="note">Branches are subtracted in every layer before layers are multiplied.</span>;
  return (
    <div className="equation" role="radiogroup" aria-label={`Branch of ${model.slot}`}>
      {DIFFERENCE_TERMS.map((term, k) => (
        <TermChoice
          key={term}
          term={term}
          sign={k === 0 || !signed ? '' : k === 1 ? '−' : '='}
          name={`branch-${model.slot}`}
          testId={`${testIds}${term}`}
          checked={term === chosen}
          raster={rasters[k]}
        />
      ))}
    </div>
  );
});

const TermChoice = memo(function TermChoice(props: {
  term: DifferenceTerm;
  sign: string;
  name: string;
  testId: string;
  checked: boolean;
  raster: Raster | undefined;
}) {
  const { term, sign, name, testId, checked, raster } = props;
  return (
    <>
      {sign && (
        <span className="sign" aria-hidden="true">
          {sign}
        </span>
      )}
      <label data-export="keep">
        <input
          type="radio"
          data-testid={testId}
          aria-checked={checked}
          name={name}
          value={term}
          checked={checked}
          onChange={() => select({ branch: term })}
        />
        {raster ? (
          <PixelCanvas raster={raster} />
        ) : (
          <div className="empty" style={{ width: SIDE, height: SIDE, background: 'var(--sunken)' }} />
        )}
        <span className="term" data-name={BRANCH_NAMES[term]}>
          {BRANCH_NAMES[term]}
        </span>
      </label>
    </>
  );
});
