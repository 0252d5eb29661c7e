import * as tf from '@tensorflow/tfjs';
import type { Backend } from '@/kernels/webgpu/program';
import { type Timed, timed } from '@/kernels/webgpu/timing';
import { capturedBlocks, lensOf, residualsOf, scanAttention } from '@/lib/analysis';
import { rooflineMs } from '@/lib/bench/dispatches';
import { medianMs } from '@/lib/bench/measure';
import { scoped } from '@/lib/bench/operands';
import {
  DIFF_MAMBA2_130M,
  DIFF_MAMBA2_370M,
  MAMBA_130M,
  MAMBA_370M,
  MAMBA2_130M,
  MAMBA2_370M,
  randomCheckpoint,
  TINY_DIFF,
  tokensOf,
} from '@/lib/bench/shapes';
import { stepOf } from '@/lib/bench/training';
import type { ModelConfig } from '@/lib/checkpoint';
import { createModel, type DecodingState, disposeState, extend, type Model, type ModelSettings } from '@/lib/models';
import type { Finding, Group, Size, Step } from './step';
import { yardstick } from './yardstick';

/** Programs of one name, for a table. */
interface Share {
  readonly name: string;
  readonly launches: number;
  readonly ms: number;
}

/** How many of the slowest programs are told. */
const TOLD = 6;

const sumOf = (programs: readonly Timed[], of: (program: Timed) => number) =>
  programs.reduce((sum, program) => sum + of(program), 0);

function sharesOf(programs: readonly Timed[]): Share[] {
  const shares = new Map<string, Share>();
  for (const { name, ms } of programs) {
    const { launches = 0, ms: before = 0 } = shares.get(name) ?? {};
    shares.set(name, { name, launches: launches + 1, ms: before + ms });
  }
  return [...shares.values()].sort((a, b) => b.ms - a.ms);
}

/** What `body` reads back while it runs. */
function readsOf(body: () => void): number {
  const backend = tf.backend();
  const original = backend.readSync.bind(backend);
  let reads = 0;
  Object.assign(backend, {
    readSync: (dataId: object) => {
      reads += 1;
      return original(dataId);
    },
  });
  try {
    body();
  } finally {
    Reflect.deleteProperty(backend, 'readSync');
  }
  return reads;
}

/**
 * Wall time of `body` and the time of its programs on the device, against what their bytes and products would take at the
 * rates of this machine's own copy and product. `settle` waits for the device; it is part of the wall time alone.
 */
function measured(size: Size, body: () => void, settle: () => void): Finding {
  const { bandwidth, rate } = yardstick(size);
  const wall_ms = scoped(() =>
    medianMs(
      () => {
        body();
        settle();
      },
      size.small ? 0 : 1500,
    ),
  );
  let programs: Timed[] = [];
  const reads = scoped(() =>
    readsOf(() => {
      programs = timed(body);
    }),
  );
  const gpu_ms = sumOf(programs, ({ ms }) => ms);
  const bytes = sumOf(programs, (program) => program.bytes);
  const flops = sumOf(programs, (program) => program.flops);
  return {
    ok: Number.isFinite(wall_ms),
    wall_ms,
    gpu_ms,
    launches: programs.length,
    reads,
    bytes,
    flops,
    gb_s: bytes / gpu_ms / 1e6,
    tflop_s: flops / gpu_ms / 1e9,
    derived_ms: rooflineMs(programs, bandwidth, rate),
    derived_3tb_60tflop_ms: rooflineMs(programs),
    slowest: sharesOf(programs).slice(0, TOLD),
  };
}

/** Holds what a body made until the device has been waited for, and drops it. */
function kept<T extends tf.Tensor>(make: () => T) {
  let last: T | undefined;
  return {
    body: () => {
      last?.dispose();
      last = tf.tidy(make);
    },
    settle: () => {
      tf.tidy(() => last?.flatten().slice(0, 1).dataSync());
    },
    drop: () => {
      last?.dispose();
      last = undefined;
    },
  };
}

const leftOut = (note: string): Finding => ({ ok: true, note: `left out: ${note}` });

function forward(size: Size, model: () => Model, rows: number, L: number, logits: 'all' | 'last'): Step {
  return {
    name: `forward, L ${L}, batch ${rows}, ${logits} logits`,
    seconds: 30,
    run: () => {
      const { V } = model().config;
      const { maxStorageBufferBindingSize: most } = (tf.backend() as Backend).device.limits;
      const bytes = 4 * rows * L * V;
      if (logits === 'all' && bytes > most)
        return leftOut(
          `its logits are ${(bytes / 1e9).toFixed(1)} GB and the adapter binds ${(most / 1e9).toFixed(1)}`,
        );
      const tokens = tokensOf(rows, L, V);
      const run = kept(() => model().forward(tokens, { logits }));
      try {
        return measured(size, run.body, run.settle);
      } finally {
        run.drop();
      }
    },
  };
}

function decode(size: Size, model: () => Model): Step {
  return {
    name: 'one more token',
    seconds: 30,
    run: () => {
      const [[token]] = tokensOf(1, 1, model().config.V);
      let state: DecodingState | undefined;
      const once = () => {
        const next = extend(model(), [[token]], state);
        if (state) disposeState(state);
        state = next.state;
        next.logits.dataSync();
        next.logits.dispose();
      };
      once();
      const finding = measured(size, once, () => {});
      if (state) disposeState(state);
      return finding;
    },
  };
}

function maps(size: Size, model: () => Model, L: number): Step {
  return {
    name: `mean maps of all layers with their pass, L ${L}`,
    seconds: 40,
    run: () => {
      const { blocks, V } = model().config;
      const [row] = tokensOf(1, L, V);
      const layers = [...blocks.keys()];
      const body = () => {
        for (const block of capturedBlocks(model(), row, layers))
          for (const inputs of block.scans.values()) scanAttention(inputs, { how: 'mean' });
      };
      return measured(size, body, () => {});
    },
  };
}

function lens(size: Size, model: () => Model, L: number): Step {
  return {
    name: `lens of all layers and positions, L ${L}`,
    seconds: 60,
    run: () => {
      const tokens = tokensOf(1, L, model().config.V);
      const residuals = residualsOf(model(), tokens);
      return measured(
        size,
        () => void lensOf(model(), residuals, { targets: [1] }),
        () => {},
      );
    },
  };
}

const training = (size: Size, model: () => Model, rows: number, L: number): Step => ({
  name: `training step of ${rows}×${L} tokens, AdamW on the host`,
  seconds: 60,
  run: () => measured(size, stepOf(model(), rows, L), () => {}),
});

/** Steps of one model whose weights are made by the first of them. */
function speedOf(
  name: string,
  shape: ModelConfig,
  more: (size: Size, model: () => Model) => Step[],
  settings?: ModelSettings,
): Group {
  return {
    name,
    steps: (size) => {
      let made: Model | undefined;
      const model = () => {
        made ??= createModel(randomCheckpoint(shape), settings);
        return made;
      };
      const first: Step = {
        name: 'weights',
        seconds: 60,
        run: () => {
          const start = performance.now();
          return { ok: true, parameters: model().parameters.size, wall_ms: performance.now() - start };
        },
      };
      return [first, ...more(size, model)];
    },
  };
}

const forwards = (size: Size, model: () => Model): Step[] =>
  [512, 2048].flatMap((L) =>
    [1, 8].flatMap((rows) => (['all', 'last'] as const).map((logits) => forward(size, model, rows, L, logits))),
  );

const everything = (size: Size, model: () => Model): Step[] => [
  ...forwards(size, model),
  decode(size, model),
  maps(size, model, 512),
  lens(size, model, 512),
  training(size, model, 4, 512),
];

const mostly = (size: Size, model: () => Model): Step[] => [...forwards(size, model), decode(size, model)];

const SMALL_L = 70;

const few = (size: Size, model: () => Model): Step[] => [
  forward(size, model, 2, SMALL_L, 'all'),
  decode(size, model),
  maps(size, model, SMALL_L),
  lens(size, model, SMALL_L),
  training(size, model, 2, SMALL_L),
];

/** The bench: every model in a process of its own. */
export const speeds = ({ small }: Size): Group[] =>
  small
    ? [speedOf('tiny Diff-Mamba-2', TINY_DIFF, few)]
    : [
        speedOf('Mamba-130m', MAMBA_130M, everything),
        speedOf('Mamba2-130m', MAMBA2_130M, everything),
        speedOf('Mamba2-130m of 16-bit weights', MAMBA2_130M, mostly, { weights: 'bf16' }),
        speedOf('Diff-Mamba-2 alternate of 130m', DIFF_MAMBA2_130M, everything),
        speedOf('Mamba-370m', MAMBA_370M, mostly),
        speedOf('Mamba2-370m', MAMBA2_370M, mostly),
        speedOf('Diff-Mamba-2 alternate of 370m', DIFF_MAMBA2_370M, mostly),
      ];
