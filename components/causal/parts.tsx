'use client';
import { formatSigned } from '@/lib/figures/numbers';
import { colourTable } from '@/lib/figures/palette';
import { MIXERS } from '@/lib/vocabulary';
import { cut, displayToken } from '../charts/tokens';
import { type ModelView, nearestOfA, ownToken, type View } from '../data/view';
import { hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { usePalette } from '../state/theme';
import { Choice } from '../ui/Choice';
import { SlotList, TokenText } from '../ui/parts';
import { RampBar } from '../ui/RampBar';
import { Segmented } from '../ui/Segmented';
import { endsOf, type GridValues, strongestCells, UNTESTED } from './grid';
import type { CheckedCell, ResultOf } from './results';
import { type CausalSettings, type CausalTest, type GridCell, setCausal, useCausal } from './settings';

const TESTS: readonly { value: CausalTest; label: string; testId: string }[] = [
  { value: 'patch', label: 'patch', testId: 'causal-patch' },
  { value: 'knockout', label: 'knock out', testId: 'causal-knockout' },
  { value: 'ablate', label: 'ablate', testId: 'causal-ablate' },
  { value: 'intervene', label: 'switch off, set λ', testId: 'causal-intervene' },
];

/** Which causal test the section shows. */
export function TestSwitch() {
  const test = useCausal((s) => s.test);
  return (
    <Segmented label="Causal test" options={TESTS} value={test} onChange={(value) => setCausal({ test: value })} />
  );
}

/** Which branch of differential blocks a test acts on. @param both what is without a choice */
export function BranchChoice({ both = 'both branches' }: { both?: string }) {
  const branch = useCausal((s) => s.branch);
  return (
    <Choice
      caption="of"
      label="Branch of differential blocks"
      value={branch}
      options={[
        { value: '' as const, label: both },
        ...MIXERS.map((value, k) => ({ value, label: `branch ${k + 1}` })),
      ]}
      onChange={(value) => setCausal({ branch: value })}
    />
  );
}

const HOWS = [
  { value: 'estimate', label: 'estimate', testId: 'causal-how-estimate' },
  { value: 'exact', label: 'exact', testId: 'causal-how-exact' },
] as const satisfies readonly { value: CausalSettings['how']; label: string; testId: string }[];

/** Whether all cells are estimated at once, or computed one by one. */
export function HowSwitch() {
  const how = useCausal((s) => s.how);
  return (
    <Segmented
      label="How cells are computed"
      options={HOWS}
      value={how}
      onChange={(value) => setCausal({ how: value })}
    />
  );
}

const ROWS = [
  { value: 'sentences', label: 'sentences' },
  { value: 'tokens', label: 'tokens' },
  { value: 'classes', label: 'classes of tokens' },
] as const;

/** What has a row of its own in an exact test. */
export function RowsChoice() {
  const rows = useCausal((s) => s.rows);
  return (
    <Choice
      caption="Rows"
      label="What has a row of its own: a sentence, a token, or all tokens of a class"
      testId="causal-rows"
      value={rows}
      options={ROWS}
      onChange={(value) => setCausal({ rows: value })}
    />
  );
}

/** Layers that are changed together, in steps that double, up to all. */
export function WindowChoice({ view }: { view: View }) {
  const window = useCausal((s) => s.window);
  const most = Math.min(...view.models.map(({ layers }) => layers));
  const sizes = [...new Set([1, 2, 4, 8, 16, 32, most, window])].filter((size) => size <= Math.max(most, window));
  return (
    <Choice
      caption="Layers"
      label="Layers that follow each other and are changed together"
      testId="causal-window"
      value={String(window)}
      options={sizes
        .sort((a, b) => a - b)
        .map((size) => ({
          value: String(size),
          label: size === 1 ? 'one at a time' : size === most ? `all ${size} together` : `${size} together`,
        }))}
      onChange={(value) => setCausal({ window: Number(value) })}
    />
  );
}

const NORMS = [
  { value: 'rescale', label: 'rescale what remains' },
  { value: 'frozen', label: 'as in the unchanged run' },
] as const;

type ReferenceUsed = ResultOf<'intervene'>['reference'];

const METHODS = [
  { value: 'zero', label: 'zero' },
  { value: 'mean', label: 'its mean over other prompts' },
  { value: 'self', label: 'its mean over this prompt' },
] as const;

/** What stands in for what is taken out. */
export function MethodChoice({ caption }: { caption: string }) {
  const method = useCausal((s) => s.method);
  return (
    <Choice
      caption={caption}
      label="What stands in for what is switched off"
      value={method}
      options={METHODS}
      onChange={(value) => setCausal({ method: value })}
    />
  );
}

/** What means were taken over, in a sentence; nothing where none were taken. */
export function referenceNote(found: readonly ({ readonly reference: ReferenceUsed } | undefined)[]): string {
  const used = found.flatMap((each) => each?.reference ?? []);
  if (used.length === 0) return '';
  if (used[0].source === 'self') return 'Means are over all tokens of this prompt itself.';
  const each = [...new Set(used.map(({ prompts }) => prompts))].join(' and ');
  const short = Math.max(...used.map(({ left_out }) => left_out));
  const left = short > 0 ? ` (${short} shorter than this one are left out)` : '';
  return `Means are token by token, counted from the end, over ${each} other prompts${left}.`;
}

/** What the norms behind a removal divide by, in the picture; the numbers beside it are of both. */
export function NormsChoice() {
  const norms = useCausal((s) => s.norms);
  return (
    <Choice
      caption="Norms"
      label="What norms do after a removal"
      testId="causal-norms"
      value={norms}
      options={NORMS}
      onChange={(value) => setCausal({ norms: value })}
    />
  );
}

/** What the two ways of the norms mean. */
export function NormsNote() {
  return (
    <>
      After a removal an RMS norm blows what remains up to full size; with <b>norms frozen</b> each divides as in the
      unchanged run, and only what was removed is missing.
    </>
  );
}

/** The signed ramp with its ends. */
export function SignedScale({ limit, meaning }: { limit: number; meaning: string }) {
  const table = colourTable(usePalette(), 'diverging');
  return (
    <span className="note scale" data-export="key">
      {formatSigned(-limit)}
      <RampBar table={table} />
      {formatSigned(limit)}&ensp;{meaning}
    </span>
  );
}

/** What hatched cells are. */
export function UntestedKey() {
  return (
    <span className="note scale" data-testid="untested-key">
      <svg width="18" height="12" aria-hidden="true">
        <rect className="sunken" width="18" height="12" />
        <path className="hatch" d="M-7,12L5,0M-2,12L10,0M3,12L15,0M8,12L20,0M13,12L25,0" />
      </svg>
      &ensp;not tested: no later token reads it
    </span>
  );
}

/** The cell that the aside speaks of: under the pointer or cursor, else the pin, else the read-out in the selected layer. */
export function useInspectedCell(view: View): GridCell & { readonly why: string } {
  const fromGrid = useHover((s) => s.origin === 'causal');
  const layer = useHover((s) => s.layer);
  const destination = useHover((s) => s.destination);
  const pin = useCausal((s) => s.pin);
  if (fromGrid && layer !== undefined && destination !== undefined)
    return { layer, position: destination, why: 'under the pointer' };
  if (pin && pin.position <= view.position && pin.layer < view.layers) return { ...pin, why: 'pinned' };
  return { layer: view.layer, position: view.position, why: 'selected' };
}

/** What each model's own token at the cell has, as text; a dash where a model has no such token or nothing yet. */
export const cellValues = (view: View, cell: GridCell, values: readonly (GridValues | undefined)[]): string[] =>
  view.models.map((model, k) => {
    const own = ownToken(model, cell.position);
    const value = own === undefined ? undefined : values[k]?.(cell.layer, own);
    return value === UNTESTED ? value : formatSigned(value);
  });

/** What each model's own token at the cell came to when it was computed exactly, as text. */
export const checkedAt = (view: View, cell: GridCell, checked: readonly (readonly CheckedCell[])[]): string[] =>
  view.models.map((model, k) => {
    const own = ownToken(model, cell.position);
    const found = checked[k].find(({ layer, token }) => layer === cell.layer && token === own);
    return found ? formatSigned(found.exact) : '–';
  });

interface CellTitleProps {
  readonly view: View;
  readonly cell: GridCell & { readonly why: string };
  /** Of model A, whose tokens cells are named by. */
  readonly values: GridValues | undefined;
}

export function CellTitle({ view, cell, values }: CellTitleProps) {
  const [first, last] = endsOf(values, cell.position);
  const named = values?.classOf?.(cell.position);
  const window = useCausal((s) => s.window);
  return (
    <h3>
      {window > 1 ? `Layers ${cell.layer}–${cell.layer + window - 1}` : `Layer ${cell.layer}`},{' '}
      {named ? (
        `all of ${named} together`
      ) : first === last ? (
        <>
          token {first}{' '}
          <span className="mono">
            <TokenText text={view.tokens[first]?.text ?? ''} />
          </span>
        </>
      ) : (
        `tokens ${first}–${last} together`
      )}{' '}
      <em>{cell.why}</em>
    </h3>
  );
}

const SHOWN = 5;

/** One model's cells of largest magnitude; a click selects the layer and pins the cell. */
function Strongest({ model, values }: { model: ModelView; values: GridValues | undefined }) {
  const cells = values ? strongestCells(values, model.layers, model.position + 1, SHOWN) : [];
  return (
    <SlotList slot={model.slot}>
      {cells.map(({ layer, position, value }) => {
        const [ofA, last] = endsOf(values, position).map((own) => nearestOfA(model, own));
        const named = values?.classOf?.(position);
        const where = named ?? (ofA === last ? `${ofA}` : `${ofA}–${last}`);
        return (
          <tr key={`${layer}.${position}`}>
            <th scope="row" className="mono ellipsis">
              <button
                type="button"
                className="link mono"
                data-export="keep"
                aria-label={
                  named
                    ? `Layer ${layer}, ${named}`
                    : `Layer ${layer}, ${ofA === last ? 'token' : 'tokens'} ${where} ${model.tokens[position].text.trim()}`
                }
                onPointerEnter={() => hover({ origin: 'causal', layer, destination: ofA })}
                onClick={() => {
                  setCausal({ pin: { layer, position: ofA } });
                  select({ layer });
                }}
              >
                {layer} <span className="note">@{where}</span>
                {!named && ` ${cut(displayToken(model.tokens[position].text), 9)}`}
              </button>
            </th>
            <td>{formatSigned(value)}</td>
          </tr>
        );
      })}
    </SlotList>
  );
}

export function StrongestCells(props: { title: string; view: View; values: readonly (GridValues | undefined)[] }) {
  const { title, view, values } = props;
  if (!values.some(Boolean)) return null;
  return (
    <div className="block">
      <h3>{title}</h3>
      <div className="side-by-side">
        {view.models.map((model, k) => (
          <Strongest key={model.slot} model={model} values={values[k]} />
        ))}
      </div>
    </div>
  );
}
