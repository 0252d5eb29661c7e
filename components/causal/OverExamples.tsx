'use client';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SnrExampleInput } from '@/lib/api/analyses';
import { formatSigned } from '@/lib/figures/numbers';
import { intervalsText } from '@/lib/vocabulary';
import { client } from '../data/client';
import type { View } from '../data/view';
import { Choice } from '../ui/Choice';
import { LinesEditor } from '../ui/LinesEditor';
import {
  type Estimate,
  meanMapOf,
  type OverExamples as OverExamplesResult,
  overExamplesOf,
  sweepRequest,
} from './meanMap';
import { useCausal } from './settings';

/** While a sweep is worked on, it is asked for so often (ms). */
const EVERY_MS = 1000;

const PROMPTS = [
  ...['10', '25', '100'].map((value) => ({ value, label: `${value} stories` })),
  { value: 'own', label: 'own prompts' },
];

/** Mean and interval; a dash where the class is in no prompt, or nobody could read it. */
const shown = (value: Estimate | undefined): string =>
  value === undefined || value.mean === null
    ? '–'
    : `${formatSigned(value.mean)} [${formatSigned(value.low)}, ${formatSigned(value.high)}]`;

const layersName = (layers: readonly number[]): string =>
  layers.length === 1 ? `${layers[0]}` : `${layers[0]}–${layers[layers.length - 1]}`;

/** Every model's means by layer and class, each with its interval. */
export function MeanTables({ found, test }: { found: OverExamplesResult; test: 'patch' | 'knockout' }) {
  return found.sources[0]?.models.map(({ model, notes }, k) => {
    const { classes, rows } = meanMapOf(found, k);
    return (
      <div key={model} data-testid="over-means">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard. */}
        <section className="wide-table" tabIndex={0} aria-label={`Means of ${model} by layer and class of token`}>
          <table className="values">
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
              {rows.map(({ layers, cells }) => (
                <tr key={layers.join()}>
                  <th scope="row">{layersName(layers)}</th>
                  {cells.map((value, c) => (
                    <td key={classes[c].name}>{shown(value)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <p className="note">
          {model}: {test === 'patch' ? 'effect' : 'change, logits'} over {found.sources[0].examples} prompts,{' '}
          {intervalsText(found.intervals)}. {notes.join(' ')}
        </p>
      </div>
    );
  });
}

/** The test of the section over many prompts, by class of token: a sweep, whose means stand here with their intervals. */
export function OverExamples({ view, test }: { view: View; test: 'patch' | 'knockout' }) {
  const settings = useCausal();
  const [prompts, setPrompts] = useState('25');
  const start = useMutation({
    mutationFn: (examples: readonly SnrExampleInput[] | string) =>
      client.startSweep(sweepRequest(view, test, settings, examples), { retry: true }),
  });
  const id = start.data?.id;
  const sweep = useQuery({
    queryKey: ['sweep', id],
    queryFn: ({ signal }) => client.sweep(id as string, signal),
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === 'open' ? EVERY_MS : false),
  });
  const now = sweep.data;
  const busy = start.isPending || now?.state === 'open';
  const found = overExamplesOf(now);
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
        {(prompts !== 'own' || busy) && (
          <button
            type="button"
            className="button low"
            data-testid="over-run"
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
      {prompts === 'own' && (
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
      {found && <MeanTables found={found} test={test} />}
    </div>
  );
}
