'use client';
import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { EXPORT_FORMATS } from '@/lib/api/export';
import { client } from '../data/client';
import { refusedMap } from '../data/mapQueries';
import { classesAsked, sweepQuery, useLensKind, useTargetIds } from '../data/queries';
import { reduceFor } from '../data/readings';
import { branchAt, formAt, promptOf, type View } from '../data/view';
import { useBatch } from '../state/batch';
import { SPAN_INFO } from '../state/forms';
import { useJobs } from '../state/jobs';
import { reduces, reductionOf, spanOf, useSelection } from '../state/selection';
import { type ShownSweep, SWEPT_NAMES, SWEPT_TESTS, type SweptTest, useSweeps } from '../state/sweeps';
import { Id } from '../ui/parts';
import { fileName, noteOf } from './captions';
import {
  cliLines,
  exportPath,
  hasAllocation,
  pythonProgram,
  type Shown,
  type ShownAnalysis,
  whatIsShown,
} from './commands';
import { figureSvg, figuresOnPage, svgText } from './figureSvg';
import { pngOf, save } from './files';
import { PaperBuilder } from './PaperBuilder';
import { CELLS_AS_RECTANGLES } from './rectangles';
import { readingsShown, reproduceProgram } from './reproduce';
import { useWholeView } from './wholeView';

const NUMBERS = [
  ['map', 'Map'],
  ['signal', 'Signal by layer'],
  ['lens', 'Lens, all positions'],
  ['allocation', 'Allocation by layer'],
] as const;

function Copy({ text, children }: { text: string; children: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <button type="button" className="button low" onClick={copy}>
      {copied ? 'Copied' : children}
    </button>
  );
}

/** The whole page as one file that keeps its hover. */
function Whole({ view, onProblem }: { view: View; onProblem(text: string): void }) {
  const make = useWholeView(view, noteOf(view));
  const [working, setWorking] = useState(false);
  const saveIt = async () => {
    setWorking(true);
    onProblem('');
    try {
      save(new Blob([await make()], { type: 'text/html' }), `${fileName(view)}.html`);
    } catch (error) {
      onProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setWorking(false);
    }
  };
  return (
    <p>
      <button
        type="button"
        className="button low"
        data-testid="export-html"
        disabled={working}
        onClick={() => void saveIt()}
      >
        {working ? 'Working…' : 'The whole page as HTML'}
      </button>{' '}
      <span className="note">One file that opens without a server and still answers the pointer.</span>
    </p>
  );
}

function Figures({ view }: { view: View }) {
  const [problem, setProblem] = useState('');
  const [rectangles, setRectangles] = useState(false);
  const draw = async (figure: HTMLElement, id: string, format: 'svg' | 'png') => {
    setProblem('');
    try {
      const svg = svgText(await figureSvg(figure, noteOf(view), { rectangles: rectangles && format === 'svg' }));
      const name = `${fileName(view)}-${id}.${format}`;
      save(format === 'svg' ? new Blob([svg], { type: 'image/svg+xml' }) : await pngOf(svg), name);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <h3>Figures, as they are on the page</h3>
      <table>
        <tbody>
          {figuresOnPage().map(({ id, title, figure }) => (
            <tr key={id}>
              <th scope="row">{title}</th>
              {(['svg', 'png'] as const).map((format) => (
                <td key={format}>
                  <button
                    type="button"
                    className="button low"
                    data-testid={`export-${id}-${format}`}
                    aria-label={`${title} as ${format.toUpperCase()}`}
                    onClick={() => void draw(figure, id, format)}
                  >
                    {format.toUpperCase()}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <label className="checkbox">
        <input
          type="checkbox"
          data-testid="export-rectangles"
          checked={rectangles}
          onChange={(event) => setRectangles(event.target.checked)}
        />
        SVG: cells of maps as rectangles, up to {CELLS_AS_RECTANGLES} × {CELLS_AS_RECTANGLES}
      </label>
      <Whole view={view} onProblem={setProblem} />
      {problem && (
        <p className="note bad" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

/** Batches and tests that are finished on the page: the batch of the curve, and what the sections have asked for. */
function useShownAnalyses(): readonly ShownAnalysis[] {
  const batchId = useBatch((s) => (s.result ? s.id : ''));
  const { data: batch } = useQuery({
    queryKey: ['analysis', batchId],
    queryFn: ({ signal }) => client.analysis(batchId, signal),
    enabled: batchId !== '',
  });
  const jobs = useJobs((s) => s.jobs);
  const asked = Object.entries(jobs).flatMap(([name, job]) =>
    job?.answered && job.state === 'done'
      ? [{ name: name.replaceAll('.', '-'), id: job.id, request: job.answered }]
      : [],
  );
  return batch ? [{ name: 'batch', id: batch.id, request: batch.request }, ...asked] : asked;
}

type Sweeps = readonly (readonly [SweptTest, ShownSweep])[];

/** Causal tests over examples whose means stand on the page. */
function useEndedSweeps(): Sweeps {
  const asked = useSweeps();
  const shown = SWEPT_TESTS.flatMap((test) => {
    const sweep = asked[test];
    return sweep ? [[test, sweep] as const] : [];
  });
  const found = useQueries({ queries: shown.map(([, { id }]) => sweepQuery(id)) });
  return shown.filter((_, k) => found[k].data?.state === 'done');
}

/** What analyses are called; others by their kind. */
const ANALYSIS_NAMES: Readonly<Partial<Record<AnalysisRequestInput['kind'], string>>> = {
  snr: 'Batch: signal by layer',
  allocation: 'Batch: allocation',
  faithfulness: 'Faithfulness',
  patch: 'Patching',
  patch_attribution: 'Patching, estimated',
  knockout: 'Knock-out',
  knockout_attribution: 'Knock-out, estimated',
  ablate: 'Ablation',
  ablate_attribution: 'Ablation, estimated',
  intervene: 'Switched off, λ set',
};

/** A program that makes every number of the page again. */
function Reproduction(props: { view: View; analyses: readonly ShownAnalysis[]; sweeps: Sweeps }) {
  const { view, analyses, sweeps } = props;
  const queries = useQueryClient();
  const saveIt = () => {
    const runs = Object.fromEntries(view.models.map(({ run }) => [run.id, run.request]));
    const program = reproduceProgram({
      runs,
      readings: readingsShown(queries, Object.keys(runs)),
      analyses: Object.fromEntries(analyses.map(({ name, request }) => [name, request])),
      sweeps: Object.fromEntries(sweeps.map(([test, { request }]) => [`${test}-over-examples`, request])),
      server: location.origin,
    });
    save(new Blob([program], { type: 'text/x-python' }), 'reproduce.py');
  };
  return (
    <p>
      <button type="button" className="button low" data-testid="export-reproduce" onClick={saveIt}>
        Every number again, as a program
      </button>{' '}
      <span className="note">
        Python without packages: it asks a server for the same runs, readings and tests, and writes all of their
        numbers.
      </span>
    </p>
  );
}

function Numbers(props: { shown: readonly Shown[]; analyses: readonly ShownAnalysis[]; sweeps: Sweeps }) {
  const { shown, analyses, sweeps } = props;
  return (
    <>
      <h3>Numbers, in full float32</h3>
      <table>
        <tbody>
          {NUMBERS.flatMap(([what, title]) =>
            shown
              .filter((one) => what !== 'allocation' || hasAllocation(one))
              .map((one) => (
                <tr key={`${what}${one.slot}`}>
                  <th scope="row">
                    <Id slot={one.slot} small />{' '}
                    {what === 'map' ? `${SPAN_INFO[one.span].title}, ${whatIsShown(one)}` : title}
                  </th>
                  {what === 'map' && one.refused ? (
                    <td colSpan={EXPORT_FORMATS.length} className="note">
                      {one.refused}
                    </td>
                  ) : (
                    EXPORT_FORMATS.map((format) => (
                      <td key={format}>
                        <a
                          className="button low"
                          download
                          aria-label={`${title} of ${one.slot} as ${format}`}
                          data-testid={`export-${what}-${one.slot}-${format}`}
                          href={`/api/runs/${exportPath(one, what, format)}`}
                        >
                          {format === 'safetensors' ? format : format.toUpperCase()}
                        </a>
                      </td>
                    ))
                  )}
                </tr>
              )),
          )}
          {analyses.map(({ name, id, request: { kind } }) => (
            <tr key={name}>
              <th scope="row">
                {ANALYSIS_NAMES[kind] ?? kind} <span className="note">{name}</span>
              </th>
              <td colSpan={EXPORT_FORMATS.length}>
                <a
                  className="button low"
                  download={`${name}.json`}
                  data-testid={`export-${name}-json`}
                  href={`/api/analyses/${id}`}
                >
                  JSON
                </a>
              </td>
            </tr>
          ))}
          {sweeps.map(([test, { id }]) => (
            <tr key={test}>
              <th scope="row">{SWEPT_NAMES[test]}</th>
              <td colSpan={EXPORT_FORMATS.length}>
                <a
                  className="button low"
                  download={`${test}-over-examples.json`}
                  data-testid={`export-over-${test}-json`}
                  href={`/api/sweeps/${id}`}
                >
                  JSON
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Contents({ view }: { view: View }) {
  const selection = useSelection();
  const { without, part } = selection;
  const reduction = useSelection(reductionOf);
  const span = useSelection(spanOf);
  const targets = useTargetIds(view);
  const { kind: lens } = useLensKind(view.models);
  const shown = view.models.map((model, k): Shown => {
    const layer = Math.min(view.layer, model.layers - 1);
    const branch = branchAt(model, layer, selection);
    const form = formAt(model.model.blocks[layer], branch, selection.form);
    const asked = {
      layer,
      form,
      branch,
      reduce: reduces(form) ? reduceFor({ reduction, part }, model, layer) : undefined,
    };
    return {
      ...asked,
      refused: refusedMap(model, span, asked),
      slot: model.slot,
      run: model.run.id,
      prompt: promptOf(model),
      index: model.index,
      model: model.name,
      span,
      without,
      lens,
      position: model.position,
      target: targets[k],
      candidates: model.model.candidates.map(({ id }) => id),
      ...classesAsked(model),
    };
  });
  const analyses = useShownAnalyses();
  const sweeps = useEndedSweeps();
  const cli = cliLines(shown, analyses, sweeps);
  const python = pythonProgram(shown, location.origin, analyses, sweeps);
  return (
    <>
      <PaperBuilder view={view} />
      <Figures view={view} />
      <Numbers shown={shown} analyses={analyses} sweeps={sweeps} />
      <h3>The same from elsewhere</h3>
      <Copy text={cli}>Copy as CLI</Copy> <Copy text={python}>Copy as Python</Copy>
      <Reproduction view={view} analyses={analyses} sweeps={sweeps} />
      <pre data-testid="export-python">{python}</pre>
    </>
  );
}

/** Figures, numbers and programs of what the page shows. */
export function ExportDialog({ view, onClose }: { view: View | undefined; onClose(): void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!ref.current?.open) ref.current?.showModal();
  }, []);
  return (
    <dialog ref={ref} className="export-dialog" aria-labelledby="export-title" onClose={onClose} data-testid="export">
      <div className="head">
        <h2 id="export-title">Export</h2>
        <span className="grow" />
        <button type="button" className="button low" onClick={onClose}>
          Close <kbd>Esc</kbd>
        </button>
      </div>
      {view ? <Contents view={view} /> : <p>There are no figures on the page yet.</p>}
    </dialog>
  );
}
