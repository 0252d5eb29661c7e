'use client';
import { memo } from 'react';
import { MIXERS } from '@/lib/vocabulary';
import { axisTicks, type LayerAxis, layerName } from '../charts/layerAxis';
import { hasBranches, isDiff, type ModelView } from '../data/view';
import { LayerHit } from '../ui/CurveParts';
import { Id } from '../ui/parts';
import { controlSizes, lambdaTop } from './lambdaRange';
import { changesOf, setLambda, togglePart, useCausal } from './settings';

const ROW = 26;
const SLIDER = 84;

interface Row {
  readonly name: string;
  /** The part of a layer that the row's switches turn off. */
  readonly part: (layer: number) => string;
  readonly differential: boolean;
}

const ROWS: readonly Row[] = [
  { name: 'block', part: String, differential: false },
  ...MIXERS.map((mixer, k) => ({
    name: `branch ${k + 1}`,
    part: (layer: number) => `${layer}.${mixer}`,
    differential: true,
  })),
];

/** One λ: a slider that stands up, the model's own value as a tick, and the number below. */
function LambdaSlider(props: {
  model: ModelView;
  layer: number;
  x: number;
  width: number;
  top: number;
  most: number;
  named: boolean;
}) {
  const { model, layer, x, width, top, most, named } = props;
  const own = model.model.blocks[layer].lambda ?? 0;
  const set = useCausal((s) => changesOf(s, model.name).lambdas[layer]);
  const value = set ?? own;
  const tick = top + 6 + (1 - Math.min(1, Math.max(0, own / most))) * (SLIDER - 12);
  return (
    <>
      <i className="lambda-own" style={{ left: x - width / 2 + 3, width: width - 6, top: tick }} />
      <input
        type="range"
        data-export="setting"
        className={`lambda ${model.slot}`}
        style={{ left: x - width / 2 + 1, width: width - 2, top, height: SLIDER }}
        min={0}
        max={most}
        step={0.01}
        value={value}
        aria-label={`λ of ${model.slot}, layer ${layer}`}
        aria-orientation="vertical"
        title={`λ of layer ${layer}: ${value.toFixed(2)}`}
        data-testid={`lambda-${model.slot}-${layer}`}
        onChange={({ target }) => setLambda(model.name, [layer], Number(target.value))}
        onDoubleClick={() => setLambda(model.name, [layer], undefined)}
      />
      {named && (
        <span
          className={set === undefined ? 'lambda-value' : 'lambda-value set'}
          style={{ left: x - 20, top: top + SLIDER }}
        >
          {value.toFixed(2)}
        </span>
      )}
    </>
  );
}

/** Where columns are too narrow for controls: what is off and every λ, as marks; a click chooses whose controls stand there. */
function Marks(props: { model: ModelView; axis: LayerAxis; rows: readonly Row[]; lambdaAt: number; most: number }) {
  const { model, axis, rows, lambdaAt, most } = props;
  const { off, lambdas } = useCausal((s) => changesOf(s, model.name));
  const { blocks } = model.model;
  const width = Math.max(1, axis.pitch - 1);
  return (
    <svg width={axis.width} height={lambdaAt + SLIDER} aria-hidden="true" data-testid={`marks-${model.slot}`}>
      {blocks.flatMap((block, layer) => {
        const x = axis.x(layer) - width / 2;
        const parts = rows.flatMap(({ name, part, differential }, k) =>
          differential && !isDiff(block)
            ? []
            : [
                <rect
                  key={`${name}.${part(layer)}`}
                  className={off.includes(part(layer)) ? 'switch-mark off' : 'switch-mark'}
                  x={x}
                  width={width}
                  y={18 + k * ROW + 8}
                  height={10}
                />,
              ],
        );
        if (block.lambda === null) return parts;
        const height = (Math.min(most, Math.max(0, lambdas[layer] ?? block.lambda)) / most) * (SLIDER - 12);
        const y = lambdaAt + SLIDER - 6 - height;
        return [
          ...parts,
          // biome-ignore lint/suspicious/noArrayIndexKey: blocks are known by their place.
          <rect key={`λ${layer}`} className={`${model.slot}-fill`} x={x} width={width} y={y} height={height} />,
        ];
      })}
    </svg>
  );
}

/** Blocks and branches of one model that can be switched off, and their λ, on the layer axis. */
export const Switches = memo(function Switches({
  model,
  axis,
  layer,
}: {
  model: ModelView;
  axis: LayerAxis;
  layer: number;
}) {
  const off = useCausal((s) => changesOf(s, model.name).off);
  const { blocks } = model.model;
  const { every, width, numbers } = controlSizes(axis);
  const all = blocks.map((_, each) => each);
  const shown = every ? all : all.filter((each) => each === layer);
  const differential = blocks.some(isDiff);
  const rows = ROWS.filter((row) => differential || !row.differential);
  const most = lambdaTop(blocks.map((block) => block.lambda));
  const lambdaAt = 18 + rows.length * ROW + 4;
  const height = differential ? lambdaAt + SLIDER + 20 : lambdaAt;
  return (
    <fieldset className="switches" style={{ height }} data-arrows>
      <legend className="visually-hidden" data-export="omit">
        Parts of {model.slot}, {model.name}
      </legend>
      <span className="switch-name" style={{ top: 0 }}>
        <Id slot={model.slot} small />
      </span>
      {!every && (
        <>
          <Marks model={model} axis={axis} rows={rows} lambdaAt={lambdaAt} most={most} />
          <LayerHit axis={axis} height={height} />
        </>
      )}
      {axisTicks(axis, layer, false)
        .filter((each) => each in blocks)
        .map((each) => (
          <span
            key={each}
            className={each === layer ? 'switch-layer strong' : 'switch-layer'}
            style={{ left: axis.x(each) - 20 }}
          >
            {each}
          </span>
        ))}
      {rows.map(({ name, part, differential: needs }, k) => (
        <div key={name}>
          <span className="switch-name" style={{ top: 18 + k * ROW }}>
            {name}
          </span>
          {shown.map((each) =>
            needs && !isDiff(blocks[each]) ? null : (
              <label
                key={each}
                className="switch"
                data-export="keep"
                style={{ left: axis.x(each) - width / 2, width, top: 18 + k * ROW }}
              >
                <input
                  type="checkbox"
                  data-export="setting"
                  aria-label={`${name} of ${model.slot}, ${layerName(each, blocks.length)}`}
                  data-testid={`switch-${model.slot}-${part(each)}`}
                  checked={!off.includes(part(each))}
                  onChange={() => togglePart(model.name, part(each))}
                />
              </label>
            ),
          )}
        </div>
      ))}
      {differential && (
        <>
          <span className="switch-name" style={{ top: lambdaAt + SLIDER / 2 - 13 }}>
            λ, 0–{most}
          </span>
          {shown.map(
            (each) =>
              blocks[each].lambda !== null && (
                <LambdaSlider
                  key={each}
                  model={model}
                  layer={each}
                  x={axis.x(each)}
                  width={width}
                  top={lambdaAt}
                  most={most}
                  named={numbers || each === layer}
                />
              ),
          )}
        </>
      )}
    </fieldset>
  );
});

/** The heads of the selected layer, each a button that switches it off. */
export function HeadSwitches({ model, layer }: { model: ModelView; layer: number }) {
  const off = useCausal((s) => changesOf(s, model.name).off);
  const block = model.model.blocks[layer];
  if (!block || block.heads === 0) return null;
  const branches = hasBranches(block) ? MIXERS : ([''] as const);
  return (
    <>
      {branches.map((branch) => (
        <div key={branch} className="head-switches" data-export="omit">
          <span className="note">
            <Id slot={model.slot} small /> heads of layer {layer}
            {branch && `, branch ${branch.slice(-1)}`}
          </span>
          {Array.from({ length: block.heads }, (_, head) => {
            const part = [layer, branch, 'head', head].filter((word) => word !== '').join('.');
            return (
              <button
                key={part}
                type="button"
                aria-pressed={!off.includes(part)}
                aria-label={`Head ${head} of ${model.slot}${branch && `, branch ${branch.slice(-1)}`}`}
                data-testid={`switch-${model.slot}-${part}`}
                onClick={() => togglePart(model.name, part)}
              >
                {head}
              </button>
            );
          })}
        </div>
      ))}
    </>
  );
}
