import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { mixerStepCases } from '@/kernels/ops/mixer-step-cases';
import type { OpCase } from '@/kernels/ops/op-case';
import { runCase, smallCases } from '@/kernels/ops/op-cases';
import { worstError } from '@/kernels/reference/worst-error';
import type { Backend } from '@/kernels/webgpu/program';
import { largeCases } from '@/kernels/webgpu/testing/large-cases';
import { reducingCases } from '@/kernels/webgpu/testing/reducing-cases';
import { readSafetensors } from '@/lib/checkpoint';
import { runCli } from '@/lib/cli/program';
import type { Finding, Group, Size, Step } from './step';

/** The tolerances of `kernels/webgpu/ops.test.ts`, and of the reference cases. */
const [VALUE, GRADIENTS, ACTIVATIONS, MAPS, LOSS, PARAMETERS] = [1e-5, 2e-5, 1e-3, 1e-4, 1e-5, 1e-3];

/** A software adapter compiles its gradients for seconds; the training step of the tiny model has them. */
const SLOW = /^ssdScan/;

/** Every operation against its float64 definition, gradients included. */
export const operations: Group = {
  name: 'operations',
  steps: ({ small }) =>
    (small
      ? smallCases().filter(({ name }, i) => i % 7 === 1 && !SLOW.test(name))
      : [...smallCases(), ...mixerStepCases(), ...largeCases()]
    ).map((c) => ({ name: c.name, seconds: 20, run: () => computed(c) })),
};

/** Those whose programs reduce over subgroups, once more as they do on a device that has none. */
export const withoutSubgroups: Group = {
  name: 'operations without subgroups',
  steps: ({ small }) =>
    reducingCases()
      .filter(({ name }, i) => !small || (i % 11 === 1 && !SLOW.test(name)))
      .map((c) => ({
        name: c.name,
        seconds: 20,
        run: () => {
          const backend = tf.backend() as Backend;
          if (!backend.device.features.has('subgroups')) return { ok: true, note: 'done above: this device has none' };
          backend.subgroups = false;
          return computed(c);
        },
      })),
};

function computed(c: OpCase): Finding {
  const { value, gradients } = runCase(c);
  const error = worstError(value, c.expected);
  const errors = Object.entries(gradients).map(([name, got]) => worstError(got, c.gradients?.[name] ?? []));
  const gradient = errors.length > 0 ? Math.max(...errors) : undefined;
  return { ok: error <= VALUE && (gradient ?? 0) <= GRADIENTS, error, gradient };
}

/** For a device that compiles slowly; the tiny model of the bench has the other recurrence. */
const FEW = ['hf-mamba1'];

/** Formats of files, which are the same on every device; weights of 16 bits are not. */
const FORMATS = /^official-|sharded/;

/** The command line on the reference cases: `run`, `attention` in its four forms, `grad` and `generate`. */
export const models: Group = {
  name: 'models',
  steps: (size) =>
    readdirSync(size.cases, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && (size.small ? FEW.includes(entry.name) : !FORMATS.test(entry.name)))
      .map(({ name }) => name)
      .sort()
      .flatMap((name) => stepsOf(name, size)),
};

function stepsOf(name: string, { cases }: Size): Step[] {
  const folder = join(cases, name);
  const about = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
  const has = (file: string) => readdirSync(folder).includes(file);
  const step = (what: string, run: Step['run']): Step => ({ name: `${what} ${name}`, seconds: 60, run });
  const steps = [
    step('run', () =>
      compared(folder, 'expected.safetensors', () => ACTIVATIONS, about.tokens, ['run', '--names', '*']),
    ),
    step('generate', async () => {
      const { prompt_tokens: prompt, new_tokens: expected } = about.greedy;
      const more = ['--max-new-tokens', String(expected.length), '--json'];
      const { tokens } = JSON.parse(await command(folder, [prompt], ['generate', ...more]));
      const ok = JSON.stringify(tokens) === JSON.stringify([expected]);
      return { ok, note: ok ? undefined : `it wrote ${tokens[0]} instead of ${expected}` };
    }),
  ];
  if (has('training.safetensors')) {
    const tolerance = (key: string) => (key === 'loss' ? LOSS : PARAMETERS);
    const isTheirs = (key: string) => key === 'loss' || key.startsWith('grad.');
    steps.push(
      step('grad', () => compared(folder, 'training.safetensors', tolerance, about.tokens, ['grad'], isTheirs)),
    );
  }
  if (has('attention.safetensors')) {
    const channels = new Set(Object.keys(about.attention.keys).flatMap((key) => /channel\.(\d+)/.exec(key)?.[1] ?? []));
    const reduce = ['mean', 'mean_abs', 'head:all', ...[...channels].map((e) => `channel:${e}`)].join();
    const forms = ['--form', 's6,block,logit,norm', '--reduce', reduce];
    const args = ['attention', ...forms, '--target', about.attention.logit_tokens.join()];
    steps.push(step('attention', () => compared(folder, 'attention.safetensors', () => MAPS, about.tokens, args)));
  }
  return steps;
}

/** Runs a command and compares the tensors that it writes with those of a reference file. */
async function compared(
  folder: string,
  file: string,
  tolerance: (key: string) => number,
  rows: number[][],
  args: readonly string[],
  isTheirs: (key: string) => boolean = () => true,
): Promise<Finding> {
  const scratch = mkdtempSync(join(tmpdir(), 'statescope-gpu-'));
  try {
    const out = join(scratch, 'out.safetensors');
    await command(folder, rows, [...args, '--out', out]);
    const got = await readSafetensors(out);
    let [error, worst, tensors] = [0, '', 0];
    const wrong: string[] = [];
    for (const [key, { data }] of await readSafetensors(join(folder, file))) {
      if (!isTheirs(key)) continue;
      tensors += 1;
      const here = worstError((got.get(key)?.data as Float32Array | undefined) ?? [], data as Float32Array);
      if (!(here <= tolerance(key))) wrong.push(key);
      if (!(here <= error)) [error, worst] = [here, key];
    }
    const ok = wrong.length === 0 && tensors > 0;
    return { ok, tensors, error, worst, note: ok ? undefined : `wrong: ${wrong.slice(0, 4).join(', ')}` };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Runs a command on the webgpu device and returns what it printed. @throws Error with its message where it fails */
async function command(folder: string, rows: number[][], args: readonly string[]): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'statescope-gpu-'));
  try {
    const tokens = join(scratch, 'tokens.json');
    writeFileSync(tokens, JSON.stringify(rows));
    const written = { out: '', err: '' };
    const io = {
      out: (text: string) => {
        written.out += text;
      },
      err: (text: string) => {
        written.err += text;
      },
      interactive: false,
    };
    const code = await runCli([...args, '--model', folder, '--tokens', tokens, '--device', 'webgpu'], io);
    if (code !== 0) throw new Error(written.err.trim().split('\n').at(-1));
    return written.out;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
