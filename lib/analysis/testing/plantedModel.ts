import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ARCHITECTURES, blockOf, familyOf } from '@/lib/architectures';
import { scansOf } from '@/lib/architectures/places';
import {
  type Checkpoint,
  type CheckpointTensor,
  expectedTensors,
  isDifferential,
  type ModelConfig,
  type SingleKind,
} from '@/lib/checkpoint';
import type { TokenClass } from '@/lib/vocabulary';
import type { AllocationRequest, Span } from '..';

/**
 * Models whose reads are known by construction, of every kind, over the prompts of a planted fixture. The one block stores
 * at every token a vector of its own under a key of the token's class and never forgets; only the read-out token asks,
 * with one chosen strength a class. What it is given back is orthonormal after the output projection, so that at the
 * read-out ‖c_j‖ = strength(class of j) times a factor that the prompt has, for every form that is an operator on the
 * block's input. The two rooms write their own logits: the needle's is the answer.
 */

/** How strongly the read-out token reads the words of each class. */
export type Strengths = Readonly<Record<(typeof KEYS)[number], number>>;

const KEYS = ['needle', 'competing', 'filler', 'question', 'self'] as const satisfies readonly TokenClass[];

export interface Plan {
  readonly kind: SingleKind;
  readonly first: Strengths;
  /** Of the second branch of a differential block. */
  readonly second?: Strengths;
  readonly lambda?: number;
  /** How loudly what is read of each class is written to the residual stream; α knows nothing of it. Default 1. */
  readonly written?: Strengths;
}

const FOLDER = join(process.cwd(), 'lib/analysis/testing/planted/mamba1');
export const PLANTED_TOKENIZER = join(FOLDER, 'tokenizer.json');
export const PLANTED_EXAMPLES = join(FOLDER, 'examples.jsonl');

const WORDS = Object.keys(JSON.parse(readFileSync(PLANTED_TOKENIZER, 'utf8')).model.vocab as object);
const KEY_OF = new Map<string, (typeof KEYS)[number]>([
  ['kitchen', 'needle'],
  ['garden', 'competing'],
  [':', 'self'],
  ...['Where', 'is', '?', 'Answer'].map((word) => [word, 'question'] as const),
  ...['rain', 'wind', 'stone', 'river', 'cloud', 'grass', 'sand', 'smoke', 'snow', 'frost'].map(
    (word) => [word, 'filler'] as const,
  ),
]);

/** The class of a token of the vocabulary, as the construction reads it; none where nothing reads it. */
export const keyOf = (token: number) => KEY_OF.get(WORDS[token]);

/** Pre-activations: SiLU(12) is 12 to 1e-4. */
const LOUD = 12;
/** Its softplus is 1. */
const ONE = Math.log(Math.E - 1);
const [d, N, K, R, P] = [64, 8, 4, 4, 16];

interface Line {
  readonly prompt: string;
  readonly target: string;
  readonly needle: Span;
  readonly classes: { readonly competing: readonly Span[]; readonly question: readonly Span[] };
}

/** The prompts of the fixture, a token a word; the answer against the other room. */
export function plantedExamples(): AllocationRequest[] {
  const lines = readFileSync(PLANTED_EXAMPLES, 'utf8').trim().split('\n');
  return lines.map((text) => {
    const { prompt, needle, classes } = JSON.parse(text) as Line;
    const words = (part: string) => part.split(' ').filter(Boolean).length;
    const placed = ([start, end]: Span): Span => [words(prompt.slice(0, start)), words(prompt.slice(0, end))];
    return {
      tokens: prompt.split(' ').map((word) => WORDS.indexOf(word)),
      target: WORDS.indexOf('kitchen'),
      foil: WORDS.indexOf('garden'),
      needle: placed(needle),
      competing: classes.competing.map(placed),
      question: classes.question.map(placed),
    };
  });
}

function configOf({ kind, lambda = 1 }: Plan): ModelConfig {
  const ssd = familyOf(kind) === 'mamba2';
  const E = ARCHITECTURES[kind].expand * d;
  const sizes = ssd ? { R: 0, H: E / P, P, G: 1 } : { R, H: 0, P: 0, G: 0 };
  const limit = [0, Number.POSITIVE_INFINITY] as const;
  const mixer = { d, E, N, K, ...sizes, timeStepLimit: limit, useBias: false, useConvBias: true, epsilon: 1e-5 };
  const block = blockOf(kind, mixer, { lambda: { constant: lambda }, lambdaInit: 0.2, subln: true });
  return {
    format: 'statescope',
    d,
    V: WORDS.length,
    vocabulary: WORDS.length,
    epsilon: 1e-5,
    tied: true,
    blocks: [block],
  };
}

export function plantedCheckpoint(plan: Plan): Checkpoint {
  const config = configOf(plan);
  const shapes = expectedTensors(config);
  const tensors = new Map(
    [...shapes].map(([name, shape]): [string, CheckpointTensor] => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      fill(plan, name, shape, data);
      return [name, { sourceName: name, shape, dtype: 'float32', data }];
    }),
  );
  return { path: '', name: `planted ${plan.kind}`, config, tensors, parameterCount: 0 };
}

/** Writes one tensor; what is named nowhere here stays 0. */
function fill(plan: Plan, name: string, shape: readonly number[], data: Float32Array): void {
  const columns = shape[shape.length - 1];
  const set = (row: number, column: number, value: number) => {
    data[row * columns + column] = value;
  };
  const strengths = /mixer_2|in_proj2|x2_proj/.test(name) ? (plan.second ?? plan.first) : plan.first;
  // The block's input is sqrt(d) at the token's own place.
  const up = LOUD / Math.sqrt(d);
  const ssd = familyOf(plan.kind) === 'mamba2';
  const E = ARCHITECTURES[plan.kind].expand * d;
  if (/embeddings\.weight$/.test(name)) for (let w = 0; w < WORDS.length; w++) set(w, w, 1);
  else if (/(norm|norm_f|subln)\.weight$/.test(name)) data.fill(1);
  else if (/A\d?_log$/.test(name)) data.fill(-30);
  else if (/dt\d?(_proj\.|_)bias$/.test(name)) data.fill(ONE);
  else if (/conv1d\.weight$/.test(name)) for (let e = 0; e < shape[0]; e++) set(e, K - 1, 1);
  else if (/in_proj\d?\.weight$/.test(name)) {
    const [x, z] = ssd ? [E, 0] : [0, E];
    for (let w = 0; w < WORDS.length; w++) {
      set(x + w, w, up);
      for (let e = 0; e < E; e++) set(z + e, w, up);
      const key = keyOf(w);
      if (ssd && key) set(2 * E + KEYS.indexOf(key), w, up);
    }
    if (ssd)
      KEYS.forEach((key, n) => {
        set(2 * E + N + n, WORDS.indexOf(':'), ofSilu(strengths[key] * LOUD) / Math.sqrt(d));
      });
  } else if (/x\d?_proj\.weight$/.test(name)) {
    for (let w = 0; w < WORDS.length; w++) {
      const key = keyOf(w);
      if (key) set(R + KEYS.indexOf(key), w, 1 / LOUD);
    }
    KEYS.forEach((key, n) => {
      set(R + N + n, WORDS.indexOf(':'), strengths[key] / LOUD);
    });
  } else if (/out_proj\.weight$/.test(name)) {
    for (let w = 0; w < WORDS.length; w++) {
      const room = WORDS[w] === 'kitchen' || WORDS[w] === 'garden';
      const key = keyOf(w);
      const loudness = loudnessOf(plan, key);
      if (plan.kind !== 'diff_mamba2e') set(room ? w : WORDS.length + w, w, loudness);
      else {
        // Its branches are the halves of one output: the upper one is branch 1.
        set(d / 2 + w, w, loudness);
        if (key && plan.second && plan.first[key] > 0) set(w, w, (loudness * plan.second[key]) / plan.first[key]);
      }
    }
  }
}

const loudnessOf = ({ written }: Plan, key: keyof Strengths | undefined) => (key && written ? written[key] : 1);

/** x ≥ 0 with SiLU(x) = y. */
function ofSilu(y: number): number {
  let [low, high] = [0, y + 1];
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2;
    if (middle / (1 + Math.exp(-middle)) < y) low = middle;
    else high = middle;
  }
  return low;
}

/** ‖c_j‖ of every token j of a prompt up to one factor: through the block, and of a differential one through its branches. */
export interface PlantedReads {
  readonly net: number[];
  readonly first: number[];
  readonly second?: number[];
}

export function plantedReads(plan: Plan, tokens: readonly number[]): PlantedReads {
  const { kind, lambda = 1 } = plan;
  const [block] = configOf(plan).blocks;
  const of = (strengths: Strengths) =>
    tokens.map((token) => {
      const key = keyOf(token);
      return key ? strengths[key] : 0;
    });
  // A gated norm of its own divides each branch by its root mean square; every word that is read stands in a prompt once.
  const sized = (reads: number[]) => {
    if (familyOf(kind) === 'mamba1' || scansOf(block).length === 1) return reads;
    const size = Math.sqrt(reads.reduce((sum, read) => sum + read * read, 0));
    return reads.map((read) => read / size);
  };
  const loud = (reads: number[]) => reads.map((read, j) => read * loudnessOf(plan, keyOf(tokens[j])));
  const first = loud(sized(of(plan.first)));
  if (!isDifferential(block) || !plan.second) return { net: first, first };
  // Branch 2 of Diff-Mamba-2E can read only what branch 1 reads.
  const second = loud(sized(of(plan.second))).map((read) => lambda * read);
  return { net: first.map((read, j) => Math.abs(read - second[j])), first, second };
}
