import type { Branch, Form, LensKind, Reduce } from '@/lib/api/schemas';

/** What the page shows of one model, as the API and the command line name it. */
export interface Shown {
  readonly slot: 'A' | 'B';
  readonly run: string;
  readonly prompt: string;
  /** Index in the run. */
  readonly index: number;
  readonly model: string;
  readonly layer: number;
  readonly branch: Branch;
  readonly form: Form;
  /** Undefined for forms that sum over all channels. */
  readonly reduce?: Reduce;
  /** Parts of the form `block` that are left out. */
  readonly without?: readonly string[];
  readonly position: number;
  /** Token id; undefined while it is not known. */
  readonly target?: number;
  readonly lens: LensKind;
  /** Tokens [start, end). */
  readonly needle?: readonly [number, number];
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** Query parameters of the export route, without the format. */
export function exportQueries(shown: Shown): Readonly<Record<'map' | 'signal' | 'lens', Query>> {
  const { index: model, layer, branch, form, reduce, position, target, needle, lens } = shown;
  const without = form === 'block' ? shown.without?.join() || undefined : undefined;
  return {
    map: { what: 'map', model, layer, branch, form, reduce, without, target: form === 'logit' ? target : undefined },
    signal: { what: 'signal', model, position, target, needle: needle?.join(','), lens },
    lens: { what: 'lens', model, target, lens },
  };
}

/** Where the server has these numbers, below the address of its runs. */
export function exportPath(shown: Shown, what: 'map' | 'signal' | 'lens', format?: string): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...exportQueries(shown)[what], format }))
    if (value !== undefined) search.set(key, String(value));
  return `${shown.run}/export?${search}`;
}

/** A word for a POSIX shell. */
const shell = (text: string) => (/^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The command lines that compute the same numbers without the page. */
export function cliLines(shown: readonly Shown[]): string {
  const command = (words: readonly (string | number)[]) =>
    ['npm run -s statescope --', ...words.map((word) => shell(String(word)))].join(' ');
  return shown
    .flatMap(({ slot, prompt, model, layer, branch, form, reduce, without, position, target, lens }) => [
      command([
        'attention',
        ...['--model', model, '--prompt', prompt, '--layers', layer],
        ...(reduce === undefined ? [] : ['--reduce', reduce]),
        ...(form === 's6' ? [] : ['--form', form]),
        ...(form === 'block' && without?.length ? ['--without', without.join()] : []),
        ...(form === 'logit' && target !== undefined ? ['--target', target] : []),
        ...(branch === 'single' ? [] : ['--branch', branch]),
        ...['--out', `map-${slot}.npz`],
      ]),
      ...(target === undefined
        ? []
        : [
            command([
              'lens',
              ...['--model', model, '--prompt', prompt, '--targets', target, '--position', position],
              ...(lens === 'tuned' ? ['--tuned', `models/${model}/tuned-lens`] : []),
              ...['--out', `lens-${slot}.npz`],
            ]),
          ]),
    ])
    .join('\n');
}

/** A Python program that loads the same numbers with NumPy from the running server. */
export function pythonProgram(shown: readonly Shown[], origin: string): string {
  const lines = shown.flatMap((one) => {
    const name = one.slot.toLowerCase();
    const load = (what: 'map' | 'signal' | 'lens') => `load(${JSON.stringify(exportPath(one, what))})`;
    return [
      '',
      `# model ${one.slot}: ${one.model.replaceAll(/[\r\n]/g, ' ')}`,
      `map_${name} = ${load('map')}["map"]  # [destination, source], layer ${one.layer}, ${one.form}, ${one.branch}`,
      `signal_${name} = ${load('signal')}  # target_prob, log_odds [nats], snr_vocab, ... per entry`,
      `lens_${name} = ${load('lens')}  # entropy, target_rank, top_ids, ... [entry, position]`,
    ];
  });
  return `import io
import urllib.request

import numpy as np

RUNS = ${JSON.stringify(`${origin}/api/runs`)}


def load(numbers):
    with urllib.request.urlopen(f"{RUNS}/{numbers}&format=npz") as reply:
        return np.load(io.BytesIO(reply.read()))

${lines.join('\n')}
`;
}
