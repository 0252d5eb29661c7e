'use client';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { RunSummary } from '@/lib/api/schemas';
import { formatBytes } from '@/lib/figures/numbers';
import { visible } from '../charts/tokens';
import { client } from '../data/client';
import { useHealth } from '../data/queries';
import { formatTime, stateOf, troubleOf } from '../data/runWords';
import { compareLink, linkOf, linkOfRequest } from '../state/links';
import { PageBar } from '../ui/tools';

const RUNS = ['runs'];
const OPENING_MS = 1000;
const RUNNING_MS = 2000;

function Name({ run }: { run: RunSummary }) {
  const queries = useQueryClient();
  const rename = useMutation({
    mutationFn: (name: string) => client.renameRun(run.id, name),
    onSettled: () => queries.invalidateQueries({ queryKey: RUNS }),
  });
  const [name, setName] = useState(run.name);
  useEffect(() => setName(run.name), [run.name]);
  const save = () => {
    if (name.trim() !== run.name) rename.mutate(name.trim());
  };
  return (
    <>
      <input
        className="field"
        aria-label={`Name of run ${run.id}`}
        placeholder="unnamed"
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
        onBlur={save}
        onKeyDown={(event) => {
          if (event.key === 'Enter') event.currentTarget.blur();
          if (event.key === 'Escape') setName(run.name);
        }}
      />
      {rename.error && <p className="note bad">{rename.error.message}</p>}
    </>
  );
}

/** Asks the question of a run again and opens the new run. */
function AskAgain({ run: { id, request } }: { run: RunSummary }) {
  const again = useMutation({
    mutationFn: () => client.startRun(request),
    onSuccess: (created) => location.assign(linkOfRequest({ id: created.id, request })),
  });
  return (
    <>
      <button
        type="button"
        className="button low"
        aria-label={`Run again: the question of run ${id}`}
        disabled={again.isPending}
        onClick={() => again.mutate()}
      >
        Run again
      </button>
      {again.error && <p className="note bad">{again.error.message}</p>}
    </>
  );
}

/** @param props.fixed it is neither named nor deleted here */
function Row(props: { run: RunSummary; fixed: boolean; chosen: boolean; onChoose(): void; onDelete(): void }) {
  const { run, fixed, chosen, onChoose, onDelete } = props;
  const [sure, setSure] = useState(false);
  const [link, setLink] = useState<string>();
  // What this browser remembers of the run is not known while the server renders.
  useEffect(() => setLink(linkOf(run)), [run]);
  const { models, prompt, target } = run.request;
  return (
    <tr data-testid="run-row">
      <td>
        <input
          type="checkbox"
          className="choose"
          aria-label={`Compare run ${run.id}`}
          checked={chosen}
          disabled={!run.available}
          onChange={onChoose}
        />
      </td>
      <td>{fixed ? run.name : <Name run={run} />}</td>
      <th scope="row">
        <a href={link} className="mono" title={visible(prompt)}>
          {visible(prompt)}
        </a>
        <span className="note">
          {' '}
          → {target.trim()} · run {run.id}
        </span>
      </th>
      <td>
        {models.map((model, k) => (
          <div key={`${k === 0 ? 'A' : 'B'} ${model}`}>
            <span className={`id small ${k === 0 ? 'A' : 'B'}`}>{k === 0 ? 'A' : 'B'}</span> {model}
          </div>
        ))}
      </td>
      <td>{formatTime(run.timing.createdAt)}</td>
      <td>
        {stateOf(run)}
        {run.state === 'interrupted' && <AskAgain run={run} />}
        {run.state !== 'interrupted' && !run.available && <div className="note">figures need a new run</div>}
      </td>
      <td className="mono">{run.kept ? formatBytes(run.bytes) : 'in memory'}</td>
      <td>
        {!fixed && (
          <button
            type="button"
            className="button low"
            aria-label={sure ? `Delete run ${run.id} for good` : `Delete run ${run.id}`}
            onBlur={() => setSure(false)}
            onClick={() => (sure ? onDelete() : setSure(true))}
          >
            {sure ? 'Delete for good' : 'Delete'}
          </button>
        )}
      </td>
    </tr>
  );
}

/** All runs, newest first: name them, open them as they were left, delete them. */
export function RunsPage() {
  const queries = useQueryClient();
  const { data, error } = useQuery({
    queryKey: RUNS,
    queryFn: ({ signal }) => client.runs(signal),
    refetchInterval: ({ state }) => {
      if (!state.data) return false;
      const { runs, archive } = state.data;
      if (archive.state === 'opening') return OPENING_MS;
      const changes = archive.message !== undefined || archive.waiting > 0;
      return changes || runs.some((run) => run.state === 'running' || run.state === 'queued') ? RUNNING_MS : false;
    },
  });
  const forget = useMutation({
    mutationFn: (id: string) => client.forgetRun(id),
    onSettled: () => queries.invalidateQueries({ queryKey: RUNS }),
  });
  const { data: health } = useHealth();
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const choose = (id: string) =>
    setChosen((old) => (old.includes(id) ? old.filter((other) => other !== id) : [...old, id].slice(-2)));
  const problem = error ?? forget.error;
  return (
    <>
      <PageBar>
        <a className="button quiet" href="/training">
          Training
        </a>
        <a className="button quiet" href="/api-docs">
          API
        </a>
      </PageBar>
      <main className="runs-page">
        <h2>Runs</h2>
        {problem && (
          <p className="bad" role="alert">
            {problem.message}
          </p>
        )}
        {data?.archive.message && (
          <p className="bad" role="alert" data-testid="archive-trouble">
            {troubleOf(data.archive)}
          </p>
        )}
        <p className="note" role="status">
          {health?.readOnly && 'This server is read-only: new runs stay in memory, kept ones as they are. '}
          {data?.archive.state === 'opening'
            ? 'Opening the runs on disk…'
            : data?.archive.state === 'open'
              ? `Runs are kept on disk up to ${formatBytes(data.archive.limitBytes)}; the oldest go first.`
              : data?.archive.state === 'off'
                ? 'This server keeps runs in memory only.'
                : ''}
        </p>
        {data && data.runs.length === 0 && data.archive.state !== 'opening' && (
          <p>
            There are none yet. <a href="/">Choose a prompt and press Run.</a>
          </p>
        )}
        {data && data.runs.length > 1 && (
          <p className="choice">
            {chosen.length === 2 ? (
              <a className="button low primary" data-testid="compare" href={compareLink(chosen)}>
                Compare the two chosen runs
              </a>
            ) : (
              <span className="note">Choose two runs to compare them in one set of figures.</span>
            )}
          </p>
        )}
        {data && data.runs.length > 0 && (
          <div className="runs-table">
            <table>
              <thead>
                <tr>
                  <th scope="col">
                    <span className="visually-hidden">Compare</span>
                  </th>
                  {['Name', 'Prompt', 'Models', 'Time', 'State', 'On disk'].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                  <th scope="col">
                    <span className="visually-hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.runs.map((run) => (
                  <Row
                    key={run.id}
                    run={run}
                    fixed={health?.readOnly === true}
                    chosen={chosen.includes(run.id)}
                    onChoose={() => choose(run.id)}
                    onDelete={() => forget.mutate(run.id)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </main>
    </>
  );
}
