import * as tf from '@tensorflow/tfjs';
import type { Resampling } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import type { DataSource, Row, Split } from '@/lib/data/source';
import type { Model } from '@/lib/models';
import { type Estimated, estimated } from './intervals';

/** Where a row is read: the last answer of it, which is one token. */
export interface ReadOut {
  readonly tokens: Int32Array;
  readonly target: number;
  readonly label: string;
  /** Tokens from the beginning of the first fact that decides the answer; where the source knows it. */
  readonly distance?: number;
}

/** Read-outs whose first deciding fact begins from `from` to fewer than `to` tokens before the answer. */
interface AtDistance {
  readonly from: number;
  readonly to: number;
  readonly n: number;
  readonly accuracy: number;
}

/** How the answer comes about over the blocks, for the questions of one label. */
export interface Emergence {
  readonly label: string;
  /** Read-outs for which the answer has the highest logit of all. */
  readonly accuracy: Estimated;
  /** The same by how far back the first fact stands that decides it; empty where the source does not know. */
  readonly distances: readonly AtDistance[];
  /** What would be right without reading who did what: any answer that the row names, each equally likely; the one it names last. */
  readonly naming: { readonly any: number; readonly last: number };
  /** Mean p(answer) through the logit lens after each block; the last is the model's own. */
  readonly p: readonly number[];
  /** The first block after which p has reached half of its final value. */
  readonly half: number;
}

/** The model with one lag of the first block's convolution at zero. */
export interface LagLoss {
  /** Tokens back. */
  readonly lag: number;
  /** Mean p(answer) over labels, and by how much it is less than the whole model's. */
  readonly p: number;
  readonly loss: number;
}

export interface EmergenceReport {
  readonly model: string;
  readonly rows: number;
  /** Tokens up to the read-out, on average. */
  readonly tokens: number;
  readonly labels: readonly Emergence[];
  /** Mean p(answer) after each block over the labels, which count alike. */
  readonly p: readonly number[];
  readonly lags: readonly LagLoss[];
}

const ROWS = 32;

/** Rows that are read in search of enough of every label, for each that is wanted. */
const SEARCH = 40;

/**
 * The first rows of a split whose last answer is of each label, `count` of each.
 * @param labels which must be found
 * @throws InputError where rows are not asked for one token, or a label is too rare
 */
export function readOuts(source: DataSource, split: Split, labels: readonly string[], count: number): ReadOut[] {
  const found = new Map<string, ReadOut[]>(labels.map((label) => [label, []]));
  for (let index = 0; index < SEARCH * count && [...found.values()].some((rows) => rows.length < count); index++) {
    const readOut = readOutOf(source.row(split, index));
    const rows = found.get(readOut.label);
    if (rows && rows.length < count) rows.push(readOut);
  }
  for (const [label, rows] of found)
    if (rows.length < count)
      throw new InputError(
        `The data have ${rows.length} rows that end with a ${label} question among the first ${SEARCH * count}, fewer than ${count}: ask for fewer, or for other data.`,
      );
  return [...found.values()].flat();
}

function readOutOf({ tokens, answers, classes }: Row): ReadOut {
  const last = answers.at(-1);
  if (!last || last.end - last.start !== 1)
    throw new InputError('The rows of these data do not end with an answer of one token: choose others.');
  const facts = classes?.needle ?? [];
  return {
    tokens: tokens.subarray(0, last.start),
    target: tokens[last.start],
    label: last.label ?? 'answer',
    ...(facts.length > 0 && { distance: last.start - Math.min(...facts.map(([start]) => start)) }),
  };
}

/** p(answer) of each read-out after every block, and whether the answer is what the model says. */
interface Read {
  readonly p: Float32Array[];
  readonly right: boolean[];
}

/** One batch. Padding stands behind what is read, so a causal model never sees it. @param everyBlock p after each, or after the last alone */
export function readBatch(model: Model, rows: readonly ReadOut[], everyBlock: boolean): Read {
  const L = Math.max(...rows.map(({ tokens }) => tokens.length));
  const ids = new Int32Array(rows.length * L);
  rows.forEach(({ tokens }, b) => {
    ids.set(tokens, b * L);
  });
  const places = Int32Array.from(rows, ({ tokens }, b) => b * L + tokens.length - 1);
  const p: Float32Array[] = [];
  let right: boolean[] = [];
  const read = (residual: tf.Tensor3D) =>
    tf.tidy(() => {
      const { V, vocabulary, d } = model.config;
      const at = tf.gather(residual.reshape([rows.length * L, d]), tf.tensor1d(places, 'int32'));
      const logits = model.unembed(at.expandDims(0)).reshape([rows.length, V]).slice([0, 0], [-1, vocabulary]);
      const best = logits.argMax(1).dataSync();
      right = rows.map(({ target }, b) => best[b] === target);
      const probabilities = tf.softmax(logits).dataSync();
      p.push(Float32Array.from(rows, ({ target }, b) => probabilities[b * vocabulary + target]));
    });
  const tokens = tf.tensor2d(ids, [rows.length, L], 'int32');
  const blocks = model.blocksOf(tokens);
  for (let step = blocks.next(); ; step = blocks.next()) {
    if (step.done) {
      step.value.dispose();
      break;
    }
    if (everyBlock || step.value.index === model.config.blocks.length - 1) read(step.value.residual);
  }
  tokens.dispose();
  return { p, right };
}

function readAll(model: Model, rows: readonly ReadOut[], everyBlock: boolean): Read {
  const p: number[][] = [];
  const right: boolean[] = [];
  for (let from = 0; from < rows.length; from += ROWS) {
    const batch = readBatch(model, rows.slice(from, from + ROWS), everyBlock);
    batch.p.forEach((values, block) => {
      p[block] ??= [];
      p[block].push(...values);
    });
    right.push(...batch.right);
  }
  return { p: p.map((values) => Float32Array.from(values)), right };
}

/** Tokens that a bin of distances is wide. */
const DISTANCES = 64;

function atDistances(rows: readonly ReadOut[], right: readonly boolean[]): AtDistance[] {
  const bins = new Map<number, boolean[]>();
  rows.forEach(({ distance }, i) => {
    if (distance === undefined) return;
    const bin = Math.floor(distance / DISTANCES);
    bins.set(bin, [...(bins.get(bin) ?? []), right[i]]);
  });
  return [...bins]
    .sort(([one], [other]) => one - other)
    .map(([bin, said]) => ({
      from: bin * DISTANCES,
      to: (bin + 1) * DISTANCES,
      n: said.length,
      accuracy: mean(said.map(Number)),
    }));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Answers that a row names, in order: what somebody could say who knows what an answer looks like. */
const named = ({ tokens }: ReadOut, answers: ReadonlySet<number>) => [...tokens].filter((id) => answers.has(id));

function naming(rows: readonly ReadOut[], answers: ReadonlySet<number>): Emergence['naming'] {
  const any = rows.map((row) => {
    const different = new Set(named(row, answers));
    return different.has(row.target) ? 1 / different.size : 0;
  });
  return { any: mean(any), last: mean(rows.map((row) => (named(row, answers).at(-1) === row.target ? 1 : 0))) };
}

const CONVOLUTION = /^backbone\.layers\.0\..*conv1d\.weight$/;

/** Runs something while a lag of every convolution of the first block is zero. */
function withoutLag<T>(model: Model, lag: number, run: () => T): T {
  const weights = [...model.parameters].filter(([name]) => CONVOLUTION.test(name)).map(([, weight]) => weight);
  const stored = weights.map((weight) => Float32Array.from(weight.dataSync()));
  const assign = (values: readonly Float32Array[]) =>
    weights.forEach((weight, i) => {
      tf.tidy(() => weight.assign(tf.tensor(values[i], weight.shape)));
    });
  try {
    assign(
      stored.map((values, i) => {
        const K = weights[i].shape[2] as number;
        return values.map((value, at) => (at % K === K - 1 - lag ? 0 : value));
      }),
    );
    return run();
  } finally {
    assign(stored);
  }
}

/**
 * Where over the blocks a model comes to its answer, by label of the questions, and what each lag of the first convolution has to do
 * with it. Cost: one forward pass over the rows, and one for each lag.
 */
export function emergence(model: Model, rows: readonly ReadOut[], resampling: Resampling): EmergenceReport {
  const answers = new Set(rows.map(({ target }) => target));
  const labels = [...new Set(rows.map(({ label }) => label))];
  const of = <T>(label: string, values: ArrayLike<T>) => Array.from(values).filter((_, i) => rows[i].label === label);
  const overLabels = (values: Float32Array) => mean(labels.map((label) => mean(of(label, values))));
  const { p, right } = readAll(model, rows, true);
  const whole = p.map(overLabels);
  const final = whole[whole.length - 1];
  return {
    model: model.name,
    rows: rows.length,
    tokens: mean(rows.map(({ tokens }) => tokens.length)),
    labels: labels.map((label) => {
      const curve = p.map((values) => mean(of(label, values)));
      const said = of(label, right);
      return {
        label,
        accuracy: estimated([said.map(Number)], resampling) as Estimated,
        distances: atDistances(of(label, rows), said),
        naming: naming(of(label, rows), answers),
        p: curve,
        half: curve.findIndex((value) => value >= curve[curve.length - 1] / 2),
      };
    }),
    p: whole,
    lags: Array.from({ length: model.config.blocks[0].mixer.K }, (_, lag) => {
      const [without] = withoutLag(model, lag, () => readAll(model, rows, false)).p.map(overLabels);
      return { lag, p: without, loss: final - without };
    }),
  };
}

/** One thing that is asked of a specimen, and what was measured. */
export interface Criterion {
  readonly asks: string;
  readonly measured: string;
  readonly met: boolean;
}

const share = (value: number) => value.toFixed(3);

/**
 * What a specimen has to show: that it reads who did what, and that its answer emerges over several blocks instead of behind a
 * convolution.
 * @param report of questions `one-hop` and `two-hop`
 */
export function criteria({ labels, p, lags }: EmergenceReport): Criterion[] {
  const of = (label: string) => {
    const found = labels.find((one) => one.label === label);
    if (!found) throw new InputError(`The report has no ${label} questions.`);
    return found;
  };
  const [one, two] = [of('one-hop'), of('two-hop')];
  const final = p[p.length - 1];
  const between = p.slice(1).filter((value) => value >= 0.1 * final && value <= 0.9 * final).length;
  const worst = lags.reduce((most, lag) => (lag.loss > most.loss ? lag : most));
  const above = (two.accuracy.low ?? 0) - Math.max(two.naming.any, two.naming.last);
  return [
    { asks: 'one-hop accuracy at least 0.85', measured: share(one.accuracy.mean), met: one.accuracy.mean >= 0.85 },
    { asks: 'two-hop accuracy at least 0.60', measured: share(two.accuracy.mean), met: two.accuracy.mean >= 0.6 },
    {
      asks: 'two-hop accuracy above naming any place of the text, or the last',
      measured: `${share(two.accuracy.mean)} (from ${share(two.accuracy.low ?? 0)}) against ${share(two.naming.any)} and ${share(two.naming.last)}`,
      met: above > 0,
    },
    {
      asks: 'p(answer) after block 0 at most 0.3 of the final one',
      measured: share(p[0] / final),
      met: p[0] <= 0.3 * final,
    },
    {
      asks: 'two further blocks or more with 0.1 to 0.9 of the final p(answer)',
      measured: String(between),
      met: between >= 2,
    },
    {
      asks: 'one-hop and two-hop reach half of their final p(answer) after different blocks',
      measured: `${one.half} and ${two.half}`,
      met: one.half !== two.half,
    },
    { asks: 'final p(answer) from 0.5 to 0.95', measured: share(final), met: final >= 0.5 && final <= 0.95 },
    {
      asks: 'no lag of the first convolution costs 0.3 of p(answer) or more',
      measured: `${share(worst.loss)} (lag ${worst.lag})`,
      met: worst.loss < 0.3,
    },
  ];
}
