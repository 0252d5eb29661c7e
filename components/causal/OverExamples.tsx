'use client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SnrExampleInput } from '@/lib/api/analyses';
import { formatSigned } from '@/lib/figures/numbers';
import { type ColourTable, colourTable, cssColour, inkOn } from '@/lib/figures/palette';
import { intervalsText } from '@/lib/vocabulary';
import { type ValueScale, valueScale } from '../charts/values';
import { client } from '../data/client';
import { sweepQuery } from '../data/queries';
import { hasBranches, type View } from '../data/view';
import { SWEPT_NAMES, type SweptTest, showSweep, useSweeps } from '../state/sweeps';
import { usePalette } from '../state/theme';
import { Choice } from '../ui/Choice';
import { LinesEditor } from '../ui/LinesEditor';
import {
  type AblatedUnit,
  type Estimate,
  meanLimit,
  meanMapOf,
  type OverExamples as OverExamplesResult,
  overExamplesOf,
  refusedOverExamples,
  sweepRequest,
} from './meanMap';
import { SignedScale, WindowChoice } from './parts';
import { useCausal } from './settings';

const PROMPTS = [
  ...['10', '25', '100'].map((value) => ({ value, label: `${value} stories` })),
  { value: 'own', label: 'own prompts' },
];

const UNITS = [
  { value: 'block', label: 'each block' },
  { value: 'mixer', label: 'each branch' },
] as const satisfies readonly { value: AblatedUnit; label: string }[];

/** Mean and interval on the colour of the mean; a dash where the class is in no prompt, or nobody could read it. */
function MeanCell({ value, scale, table }: { value: Estimate | undefined; scale: ValueScale; table: ColourTable }) {
  const palette = usePalette();
  if (value === undefined || value.mean === null) return <td>–</td>;
  const amount = scale.position(value.mean);
  return (
    <td style={{ background: cssColour(table, amount), color: inkOn(palette, table, amount) }}>
      {formatSigned(value.mean)}
      <small>
        [{formatSigned(value.low)}, {formatSigned(value.high)}]
      </small>
    </td>
  );
}

/** Every model's means by layer and class, each with its interval, coloured on one scale. */
export function MeanMaps({ found, test }: { found: OverExamplesResult; test: SweptTest }) {
  const table = colourTable(usePalette(), 'diverging');
  const limit = meanLimit(found, test);
  const scale = valueScale(limit, true, 'linear');
  const { examples, models } = found.sources[0];
  return models.map(({ model, notes }, k) => {
    const { classes, rows } = meanMapOf(found, k);
    const name = `${SWEPT_NAMES[test]}, ${model}`;
    return (
      <div key={model} data-testid="over-means">
        {/* biome-ignore lint/a11y/useSemanticElements: no set of fields; the name is that of the figure for print. */}
        <div className="figure" role="group" aria-label={name} data-panel={name} data-testid={`means-${test}-${k}`}>
          <div className="row">
            <b>{model}</b>
            <SignedScale limit={limit} meaning={test === 'patch' ? 'mean effect' : 'mean change, logits'} />
          </div>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard. */}
          <section className="wide-table" tabIndex={0} aria-label={`Means of ${model} by layer and class of token`}>
            <table className="values means">
              <thead>
                <tr>
                  <th scope="col">layer</th>
                  {classes.map(({ name, tokens }) => (
                    <th key={name} scope="col">
                      {name} ({tokens.toFixed(Number.isInteger(tokens) ? 0 : 1)})
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map(({ name, cells }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    {cells.map((value, c) => (
                      <MeanCell key={classes[c].name} value={value} scale={scale} table={table} />
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <p className="note">
            {test === 'patch' ? 'Effect' : 'Change, logits,'} over {examples} prompts, {intervalsText(found.intervals)}.{' '}
            {notes.join(' ')}
          </p>
        </div>
      </div>
    );
  });
}

/** The test of the section over many prompts, by class of token: a sweep, whose means stand here with their intervals. */
export function OverExamples({ view, test }: { view: View; test: SweptTest }) {
  const settings = useCausal();
  const [prompts, setPrompts] = useState('25');
  const [unit, setUnit] = useState<AblatedUnit>('block');
  // A plain block has no branches to switch off one by one.
  const branched = view.models.every(({ model }) => model.blocks.some(hasBranches));
  const start = useMutation({
    mutationFn: async (examples: readonly SnrExampleInput[] | string) => {
      const request = sweepRequest(view, test, { ...settings, unit: branched ? unit : 'block' }, examples);
      const { id } = await client.startSweep(request, { retry: true });
      showSweep(test, { id, request });
    },
  });
  const id = useSweeps((s) => s[test]?.id);
  const sweep = useQuery({ ...sweepQuery(id ?? ''), enabled: id !== undefined });
  const now = sweep.data;
  const busy = start.isPending || now?.state === 'open';
  const found = overExamplesOf(now);
  const refused = refusedOverExamples(test, settings);
  const failure = start.error?.message ?? sweep.error?.message ?? now?.failed[0]?.error;
  const status =
    now && (now.state === 'open' || now.state === 'cancelled') ? `${now.done} of ${now.items} prompts` : '';
  return (
    <div className="causal-part" data-testid="over-examples">
      <h3>Over examples, by class of token</h3>
      <div className="row">
        <Choice
          caption="Over"
          label="Prompts that are tested"
          testId="over-prompts"
          value={prompts}
          options={PROMPTS}
          onChange={setPrompts}
        />
        {test === 'ablate' && (
          <>
            {branched && (
              <Choice
                caption="Switch off"
                label="What is switched off at a time, over examples"
                testId="over-unit"
                value={unit}
                options={UNITS}
                onChange={setUnit}
              />
            )}
            <WindowChoice view={view} />
          </>
        )}
        {(prompts !== 'own' || busy) && (
          <button
            type="button"
            className="button low"
            data-testid="over-run"
            disabled={!busy && refused !== undefined}
            onClick={() => (busy && id !== undefined ? void client.cancelSweep(id) : start.mutate(`demo:${prompts}`))}
          >
            {busy ? 'Cancel' : 'Run over them'}
          </button>
        )}
        <span
          className="note"
          role="status"
          data-testid="over-status"
          data-state={busy ? 'busy' : found ? 'shown' : 'idle'}
        >
          {status}
        </span>
      </div>
      {refused && <p className="note">{refused}</p>}
      {prompts === 'own' && !refused && (
        <div className="editor">
          <p className="note">
            One prompt a line with its target and needle
            {test === 'patch' ? ', its candidates or a corrupted prompt' : ''}.
          </p>
          <LinesEditor testId="over-own" busy={busy} onStart={(examples) => start.mutate(examples)}>
            {null}
          </LinesEditor>
        </div>
      )}
      {failure && (
        <p className="note bad" role="alert">
          {failure}
        </p>
      )}
      {found && <MeanMaps found={found} test={test} />}
    </div>
  );
}
