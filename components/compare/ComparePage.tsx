'use client';
import { useQueries } from '@tanstack/react-query';
import { parseAsString, useQueryState } from 'nuqs';
import { lazy, Suspense, useEffect, useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { Run } from '@/lib/api/schemas';
import { visible } from '../charts/tokens';
import { client } from '../data/client';
import { ExportButton } from '../export/ExportButton';
import { linkOf } from '../state/links';
import { isEnded } from '../state/run';
import { useSelection } from '../state/selection';
import { handleKey, setView } from '../state/shortcuts';
import { LinkedSelection } from '../state/url';
import { Id, TokenText } from '../ui/parts';
import { Select } from '../ui/Select';
import { PageBar, ShareButton } from '../ui/tools';
import { compareView } from './compareView';
import { missing, obstacle, readChoice, tellingModels, writeChoice } from './pair';

const Figures = lazy(() => import('./CompareFigures').then((module) => ({ default: module.CompareFigures })));

const RUNNING_MS = 1500;

function RunRow({
  slot,
  run,
  model,
  onModel,
}: {
  slot: 'A' | 'B';
  run: Run;
  model: number;
  onModel(model: number): void;
}) {
  const { tokens, position } = run.models[model];
  return (
    <tr>
      <th scope="row">
        <Id slot={slot} />
      </th>
      <td>
        <a href={linkOf(run)}>run {run.id}</a>
        {run.name && <div className="note">{run.name}</div>}
      </td>
      <td>
        <Select
          label={`Model of run ${slot === 'A' ? 1 : 2}`}
          testId={`compare-model-${slot}`}
          value={String(model)}
          options={run.models.map(({ name }, k) => ({ value: String(k), label: name }))}
          onChange={(value) => onModel(Number(value))}
        />
      </td>
      <td className="mono prompt">{visible(run.request.prompt)}</td>
      <td className="mono">
        {position} <TokenText text={tokens[position]?.text ?? ''} /> → {run.request.target.trim()}
      </td>
    </tr>
  );
}

/** A run as the server has it, asked for again until it has ended. */
function useRuns(ids: readonly (string | undefined)[]) {
  return useQueries({
    queries: ids.map((id) => ({
      queryKey: ['run', id],
      queryFn: ({ signal }: { signal: AbortSignal }) => client.run(id as string, signal),
      enabled: id !== undefined,
      retry: false,
      refetchInterval: ({ state }: { state: { data?: Run } }) =>
        state.data && !isEnded(state.data) ? RUNNING_MS : (false as const),
    })),
  });
}

/** Two runs on one page, in the same figures. */
export function ComparePage() {
  const [first, setFirst] = useQueryState('first', parseAsString);
  const [second, setSecond] = useQueryState('second', parseAsString);
  const choices = [readChoice(first), readChoice(second)];
  const answers = useRuns(choices.map((choice) => choice?.run));
  const [one, two] = answers.map(({ data }) => data);
  const selection = useSelection(useShallow(({ position, layer }) => ({ position, layer })));
  const telling = useMemo(
    () => (one?.models.length && two?.models.length ? tellingModels(one, two) : undefined),
    [one, two],
  );
  const [a, b] = choices.map((choice, k) => {
    const models = [one, two][k]?.models.length ?? 0;
    return Math.min(choice?.model ?? telling?.[k] ?? 0, Math.max(0, models - 1));
  });
  const view = useMemo(
    () => (telling && one && two ? compareView(selection, [one, a], [two, b]) : undefined),
    [selection, one, two, a, b, telling],
  );
  useEffect(() => setView(() => view), [view]);
  useEffect(() => {
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, []);
  const problem =
    !choices[0] || !choices[1]
      ? 'Choose two runs in the list of runs.'
      : answers.find(({ error }) => error)?.error?.message;
  const nothing = one && two && view ? (missing(one, one.models[a]) ?? missing(two, two.models[b])) : undefined;
  const shown = one && two && view && !nothing;
  return (
    <>
      <LinkedSelection />
      <PageBar>
        <a className="button quiet" href="/runs">
          Runs
        </a>
        <ExportButton view={shown ? view : undefined} />
        <button
          type="button"
          className="button quiet"
          data-testid="compare-swap"
          disabled={!first || !second}
          onClick={() => {
            void setFirst(second);
            void setSecond(first);
          }}
        >
          Swap
        </button>
        <ShareButton />
      </PageBar>
      <main className="compare-page">
        <h2>Two runs</h2>
        {problem && (
          <p className="bad" role="alert">
            {problem} <a href="/runs">Runs</a>
          </p>
        )}
        {one && two && view && (
          <div className="runs-table">
            <table>
              <thead>
                <tr>
                  <th scope="col">
                    <span className="visually-hidden">Side</span>
                  </th>
                  {['Run', 'Model', 'Prompt', 'Read-out → target'].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                <RunRow
                  slot="A"
                  run={one}
                  model={a}
                  onModel={(model) => void setFirst(writeChoice({ run: one.id, model }))}
                />
                <RunRow
                  slot="B"
                  run={two}
                  model={b}
                  onModel={(model) => void setSecond(writeChoice({ run: two.id, model }))}
                />
              </tbody>
            </table>
          </div>
        )}
        {nothing && (
          <p className="banner" role="status" data-testid="compare-missing">
            {nothing}
          </p>
        )}
        {shown && (
          <Suspense>
            <Figures view={view} obstacle={obstacle(one, one.models[a], two, two.models[b])} />
          </Suspense>
        )}
      </main>
    </>
  );
}
