import type { SnrExampleInput } from '@/lib/api/analyses';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import type { LensKind, Reduce } from '@/lib/api/schemas';
import { type Branch, type Form, isReduced, isWeighed } from '@/lib/vocabulary';
import { productQueryOf } from '../data/products';
import { FORM_INFO, type LayerSpan } from '../state/forms';
import type { ShownSweep, SweptTest } from '../state/sweeps';

/** What the page shows of one model, as the API and the command line name it. */
export interface Shown {
  readonly slot: 'A' | 'B';
  readonly run: string;
  /** Token ids where the text alone might be read as others: its end was generated. */
  readonly prompt: string | readonly number[];
  /** Index in the run. */
  readonly index: number;
  readonly model: string;
  readonly layer: number;
  readonly branch: Branch;
  readonly form: Form;
  /** Over how many layers: this one, or a product over it and all later ones. */
  readonly span: LayerSpan;
  /** Undefined for forms that sum over all channels. */
  readonly reduce?: Reduce;
  /** Parts of the form `block` that are left out. */
  readonly without?: readonly string[];
  readonly position: number;
  /** Token id; undefined while it is not known. */
  readonly target?: number;
  readonly lens: LensKind;
  /** Token ids of the answers that the target is held against, itself included; may be absent. */
  readonly candidates?: readonly number[];
  /** Classes of tokens, each [start, end). */
  readonly needle?: readonly [number, number];
  readonly competing?: readonly (readonly [number, number])[];
  readonly question?: readonly (readonly [number, number])[];
  /** Why there is no such map. */
  readonly refused?: string;
}

/** Which map it is, in words. */
export const whatIsShown = ({ layer, branch, form, span, reduce }: Shown): string =>
  span === 'layer'
    ? [`layer ${layer}`, FORM_INFO[form].label, branch, reduce].filter(Boolean).join(', ')
    : [`layers from ${layer}`, span, isReduced(span) && reduce].filter(Boolean).join(', ');

/** What can be had of one model of a run. */
export type ExportedReading = 'map' | 'signal' | 'lens' | 'allocation';

/** A batch or a test on the page, by what it is called there. */
export interface ShownAnalysis {
  readonly name: string;
  readonly id: string;
  readonly request: AnalysisRequestInput;
}

/** Whether tokens can be told apart by class: a needle that is read, and a target. */
export const hasAllocation = ({ needle, target, position }: Shown): boolean =>
  needle !== undefined && needle[0] <= position && target !== undefined;

type Query = Readonly<Record<string, string | number | undefined>>;

/** Query parameters of the export route, without the format. */
export function exportQueries(shown: Shown): Readonly<Record<ExportedReading, Query>> {
  const { index: model, layer, branch, form, reduce, position, target, lens } = shown;
  const without = form === 'block' ? shown.without?.join() || undefined : undefined;
  const map: Query =
    shown.span === 'layer'
      ? { what: 'map', model, layer, branch, form, reduce, without, target: form === 'logit' ? target : undefined }
      : { what: 'rollout', ...productQueryOf(shown.span, { model, layer, reduce, target, position }) };
  const classes = {
    needle: shown.needle?.join(','),
    competing: shown.competing?.join(';'),
    question: shown.question?.join(';'),
  };
  return {
    map,
    allocation: { what: 'allocation', model, position, target, ...classes },
    signal: {
      what: 'signal',
      model,
      position,
      target,
      lens,
      ...classes,
      with: 'needle_against_context',
    },
    lens: { what: 'lens', model, target, lens },
  };
}

/** Where the server has these numbers, below the address of its runs. */
export function exportPath(shown: Shown, what: ExportedReading, format?: string): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...exportQueries(shown)[what], format }))
    if (value !== undefined) search.set(key, String(value));
  return `${shown.run}/export?${search}`;
}

/** A word for a POSIX shell. */
const shell = (text: string) => (/^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const inputWords = (prompt: Shown['prompt']): string[] =>
  typeof prompt === 'string' ? ['--prompt', prompt] : ['--ids', prompt.join()];

/** The command that computes a map, or the product of maps over layers. */
function mapWords(one: Shown): (string | number)[] {
  const { slot, prompt, model, layer, branch, form, span, reduce, without, position, target } = one;
  const of = ['--model', model, ...inputWords(prompt)];
  const out = ['--out', `map-${slot}.npz`];
  const aim = target === undefined ? [] : ['--target', target];
  if (span !== 'layer' && isWeighed(span))
    return ['rollout', ...of, '--method', span, '--start-layer', layer, ...aim, '--position', position, ...out];
  if (span !== 'layer') {
    const magnitudes = isReduced(span) && reduce === 'mean_abs' ? ['--reduce', reduce] : [];
    return ['rollout', ...of, '--method', span, '--start-layer', layer, ...magnitudes, ...out];
  }
  return [
    ...['attention', ...of, '--layers', layer],
    ...(reduce === undefined ? [] : ['--reduce', reduce]),
    ...(form === 's6' || form === 'softmax' ? [] : ['--form', form]),
    ...(form === 'block' && without?.length ? ['--without', without.join()] : []),
    ...(form === 'logit' ? aim : []),
    ...(branch === 'single' ? [] : ['--branch', branch]),
    ...out,
  ];
}

const command = (words: readonly (string | number)[]) =>
  ['npm run -s statescope --', ...words.map((word) => shell(String(word)))].join(' ');

const spansText = (spans: readonly (readonly [number, number])[]) => spans.map((span) => span.join(':')).join();

/** The command that says what every layer reads, by class of token. */
function allocationWords(one: Shown): (string | number)[] {
  const { slot, prompt, model, position, target, needle, competing, question } = one;
  return [
    ...['allocation', '--model', model, ...inputWords(prompt), '--target', target ?? '', '--position', position],
    ...['--needle', needle?.join(':') ?? ''],
    ...(competing?.length ? ['--competing', spansText(competing)] : []),
    ...(question?.length ? ['--question', spansText(question)] : []),
    ...['--out', `allocation-${slot}.npz`],
  ];
}

const namesOf = (models: readonly (string | readonly string[])[]): string =>
  models.map((model) => (typeof model === 'string' ? model : model.join('+'))).join();

/** What `--examples` takes, and the lines that write own prompts there. */
function examplesFile(name: string, examples: string | readonly SnrExampleInput[]) {
  if (typeof examples === 'string') return { file: examples, lines: [] };
  const file = `${name}.jsonl`;
  return { file, lines: [`printf '%s\\n' ${examples.map((each) => shell(JSON.stringify(each))).join(' ')} > ${file}`] };
}

/** The lines that compute a batch, its own prompts in a file; nothing for what is no batch over prompts. */
function batchLines({ name, request }: ShownAnalysis): string[] {
  if (request.kind !== 'snr' && request.kind !== 'allocation') return [];
  const { kind, models, examples, seed, resamples } = request;
  const { file, lines } = examplesFile(name, examples);
  const resampling = [
    ...(seed === undefined ? [] : ['--seed', seed]),
    ...(resamples === undefined ? [] : ['--resamples', resamples]),
  ];
  const words = [kind, '--models', namesOf(models), '--examples', file, ...resampling, '--json'];
  return [...lines, `${command(words)} > ${name}.json`];
}

const SWEPT_OPTIONS = [
  'point',
  'direction',
  'mixer',
  'queries',
  'reads',
  'unit',
  'method',
  'reference',
  'rows',
  'window',
] as const;

/** The lines that make a causal test over examples again; tests of one prompt are no batches. */
function sweepLines(test: string, { request }: ShownSweep): string[] {
  const [{ examples }] = request.sources;
  const name = `${test}-over-examples`;
  const { file, lines } = examplesFile(name, examples);
  const asked: Readonly<Record<string, unknown>> = { ...request };
  const options = SWEPT_OPTIONS.flatMap((option) =>
    asked[option] === undefined ? [] : [`--${option}`, String(asked[option])],
  );
  const words = [request.kind, '--model', namesOf(request.models), '--examples', file, ...options, '--json'];
  return [...lines, `${command(words)} > ${name}.json`];
}

/** The command lines that compute the same numbers without the page. */
export function cliLines(
  shown: readonly Shown[],
  analyses: readonly ShownAnalysis[] = [],
  sweeps: readonly (readonly [SweptTest, ShownSweep])[] = [],
): string {
  return shown
    .flatMap((one) => {
      const { slot, prompt, model, position, target, lens, candidates = [] } = one;
      const map = one.refused === undefined ? [command(mapWords(one))] : [];
      if (target === undefined) return map;
      const translators = lens === 'tuned' ? ['--tuned'] : [];
      const read = ['--model', model, ...inputWords(prompt), '--targets', target, '--position', position];
      const against = new Set(candidates).size > 1 ? ['--candidates', candidates.join()] : [];
      const lensLine = command(['lens', ...read, ...against, ...translators, '--out', `lens-${slot}.npz`]);
      return [...map, lensLine, ...(hasAllocation(one) ? [command(allocationWords(one))] : [])];
    })
    .concat(analyses.flatMap(batchLines))
    .concat(sweeps.flatMap(([test, sweep]) => sweepLines(test, sweep)))
    .join('\n');
}

/** A Python program that loads the same numbers with NumPy from the running server. */
export function pythonProgram(
  shown: readonly Shown[],
  origin: string,
  analyses: readonly ShownAnalysis[] = [],
  sweeps: readonly (readonly [SweptTest, ShownSweep])[] = [],
): string {
  const lines = shown.flatMap((one) => {
    const name = one.slot.toLowerCase();
    const load = (what: ExportedReading) => `load(${JSON.stringify(exportPath(one, what))})`;
    return [
      '',
      `# model ${one.slot}: ${one.model.replaceAll(/[\r\n]/g, ' ')}`,
      ...(typeof one.prompt === 'string' ? [] : [`tokens_${name} = [${one.prompt.join(', ')}]  # what it read`]),
      one.refused === undefined
        ? `map_${name} = ${load('map')}["map"]  # [destination, source], ${whatIsShown(one)}`
        : `# no map: ${one.refused}`,
      `signal_${name} = ${load('signal')}  # target_prob, target_log_odds [nats], margin, ... per entry`,
      `lens_${name} = ${load('lens')}  # entropy, target_rank, top_ids, ... [entry, position]`,
      ...(hasAllocation(one)
        ? [`allocation_${name} = ${load('allocation')}  # net.norm_share, ... [layer, class]`]
        : []),
    ];
  });
  const batches = [
    ...analyses.map(
      ({ name, id, request: { kind } }) => `${name.replaceAll(/\W+/g, '_')} = result("${id}")  # ${kind}`,
    ),
    ...sweeps.map(([test, { id }]) => `${test}_over_examples = result("${id}", "sweeps")  # means by layer and class`),
  ];
  return `import io
import json
import urllib.request

import numpy as np

API = ${JSON.stringify(`${origin}/api`)}


def load(numbers):
    with urllib.request.urlopen(f"{API}/runs/{numbers}&format=npz") as reply:
        return np.load(io.BytesIO(reply.read()))


def result(name, kind="analyses"):
    with urllib.request.urlopen(f"{API}/{kind}/{name}") as reply:
        return json.load(reply)["result"]

${[...lines, ...(batches.length > 0 ? ['', ...batches] : [])].join('\n')}
`;
}
