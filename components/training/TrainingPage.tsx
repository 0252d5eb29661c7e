'use client';
import { useQuery } from '@tanstack/react-query';
import { useQueryState } from 'nuqs';
import { useState } from 'react';
import type { TrainingRun } from '@/lib/api/training';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import { durationText, lambdaPlots, type TrainingPlot, trainingPlots } from '../charts/training';
import { client } from '../data/client';
import { retry } from '../data/readings';
import { formatTime } from '../data/runWords';
import { PageBar } from '../ui/tools';
import { LinePlot } from './LinePlot';

const REFRESH_MS = 3000;

/** Where the line of an arm is told apart from the others. */
const Swatch = ({ arm }: { arm: number }) => (
  <svg className={`arm arm-${arm % 6}`} width="26" height="10" aria-hidden="true">
    <path d="M1,5H25" />
  </svg>
);

function Row({ run, shown, onToggle }: { run: TrainingRun; shown: boolean; onToggle: () => void }) {
  const { name, arm, seed, step, steps, stage, finished, evaluations } = run;
  const measured = evaluations.at(-1);
  return (
    <tr data-testid="training-row">
      <td>
        <input type="checkbox" className="choose" aria-label={`Draw ${name}`} checked={shown} onChange={onToggle} />
      </td>
      <th scope="row">
        <Swatch arm={arm} /> {name}
      </th>
      <td className="mono">{seed}</td>
      <td className="mono">
        {formatCount(step)} of {formatCount(steps)}
      </td>
      <td>{stage}</td>
      <td className="mono">{formatPlain(measured?.accuracy)}</td>
      <td className="mono">{formatPlain(measured?.text)}</td>
      <td className="mono">{formatCount(run.tokensPerSecond)}</td>
      <td>{finished ? 'finished' : `${durationText(run.secondsLeft)} at most`}</td>
      <td>{formatTime(Date.parse(run.updatedAt))}</td>
    </tr>
  );
}

const HEADS = ['Run', 'Seed', 'Step', 'Stage', 'Held-out accuracy', 'Held-out loss', 'Tokens/s', 'Left', 'Last heard'];

function Plots({ title, plots, steps }: { title: string; plots: readonly TrainingPlot[]; steps: number }) {
  if (plots.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <div className="training-plots">
        {plots.map((plot) => (
          <LinePlot key={plot.title} plot={plot} steps={steps} />
        ))}
      </div>
    </section>
  );
}

function Samples({ runs }: { runs: readonly TrainingRun[] }) {
  const rows = runs.flatMap((run) => run.samples.map((sample, k) => ({ run, sample, key: `${run.folder} ${k}` })));
  if (rows.length === 0) return null;
  return (
    <section aria-label="Samples" className="runs-table">
      <h3>Samples of the last evaluation</h3>
      <table>
        <thead>
          <tr>
            {['Run', 'Question', 'Read last', 'Wanted', 'Given'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ run, sample, key }) => (
            <tr key={key}>
              <td>{run.name}</td>
              <td>{sample.label}</td>
              <th scope="row" className="mono">
                {sample.read}
              </th>
              <td className="mono">{sample.wanted}</td>
              <td className={`mono${sample.given === sample.wanted ? '' : ' bad'}`}>{sample.given}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Runs of training in a folder, as they stand and as they go on. */
export function TrainingPage() {
  const [folder, setFolder] = useQueryState('folder');
  const [typed, setTyped] = useState(folder ?? '');
  const [hidden, setHidden] = useState<readonly string[]>([]);
  const { data, error } = useQuery({
    queryKey: ['training', folder],
    queryFn: ({ signal }) => client.training({ folder: folder ?? undefined }, signal),
    refetchInterval: REFRESH_MS,
    retry,
  });
  const runs = data?.runs.filter((run) => !hidden.includes(run.folder)) ?? [];
  const steps = Math.max(1, ...runs.map((run) => Math.max(run.step, run.finished ? 0 : run.steps)));
  const toggle = (one: string) =>
    setHidden((old) => (old.includes(one) ? old.filter((other) => other !== one) : [...old, one]));
  return (
    <>
      <PageBar>
        <a className="button quiet" href="/runs">
          Runs
        </a>
      </PageBar>
      <main className="runs-page training-page">
        <h2>Training</h2>
        <form
          className="training-folder"
          onSubmit={(event) => {
            event.preventDefault();
            void setFolder(typed.trim() || null);
          }}
        >
          <label>
            Folder{' '}
            <input
              className="field"
              value={typed}
              placeholder="all that this server knows"
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          <button type="submit" className="button low">
            Show
          </button>
        </form>
        {error && (
          <p className="bad" role="alert">
            {error.message}
          </p>
        )}
        {!data && !error && <p className="note">Reading the runs.</p>}
        {data?.broken.map(({ folder: path, message }) => (
          <p key={path} className="note">
            {path}: {message}
          </p>
        ))}
        {data && data.runs.length === 0 && (
          <p>
            No run of <span className="mono">statescope train</span> in {data.folders.join(', ')}.
          </p>
        )}
        {data && data.runs.length > 0 && (
          <>
            <div className="runs-table">
              <table>
                <thead>
                  <tr>
                    <th scope="col">
                      <span className="visually-hidden">Draw</span>
                    </th>
                    {HEADS.map((head) => (
                      <th key={head} scope="col">
                        {head}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {data.runs.map((run) => (
                    <Row
                      key={run.folder}
                      run={run}
                      shown={!hidden.includes(run.folder)}
                      onToggle={() => toggle(run.folder)}
                    />
                  ))}
                </tbody>
              </table>
            </div>
            <p className="note">One colour for each configuration, one line for each seed; a step is one of AdamW.</p>
            <Plots title="Curves" plots={trainingPlots(runs)} steps={steps} />
            <Plots title="λ by layer" plots={lambdaPlots(runs)} steps={steps} />
            <Samples runs={runs} />
          </>
        )}
      </main>
    </>
  );
}
