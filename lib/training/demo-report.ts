import * as tf from '@tensorflow/tfjs';
import { type Checkpoint, isDifferential } from '@/lib/checkpoint';
import { type RetrievalExample, retrievalExample } from '@/lib/data/retrieval';
import { type QuestionKind, ROOMS } from '@/lib/data/vocabulary';
import { splitWords, type WordTokenizer } from '@/lib/data/word-tokenizer';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { formatDuration } from '@/lib/vocabulary';
import { type DemoConfig, TRAINING_LENGTH, TRAINING_QUESTIONS } from './demo-config';
import { accuracy } from './evaluate';
import { readMetrics } from './metrics';

const EVALUATION_SEED = 0x7e57;
const EXAMPLES = 1000;

/** Held-out accuracy at one story size. */
interface SizeReport {
  readonly sentences: number;
  /** Tokens of a prompt, on average. */
  readonly tokens: number;
  readonly person: number;
  readonly object: number;
  readonly both: number;
}

/** What the README of a demo model states, all of it measured. */
export interface DemoReport {
  readonly name: string;
  readonly config: DemoConfig;
  readonly parameters: number;
  readonly device: string;
  readonly seconds: number;
  /** Both kinds of question at {@link TRAINING_LENGTH}. */
  readonly accuracy: number;
  readonly sizes: readonly SizeReport[];
  /** Share of prompts that naming the last room of the story would answer. */
  readonly lastRoom: number;
  /** λ and λ_init per block; empty for a plain model. */
  readonly lambda: readonly { readonly value: number; readonly init: number }[];
}

const examplesOf = (sentences: number, question: QuestionKind): RetrievalExample[] => {
  const random = new Random(EVALUATION_SEED + sentences);
  return Array.from({ length: EXAMPLES / 2 }, () =>
    retrievalExample(random, { sentences, question, split: 'held-out' }),
  );
};

const share = <T>(items: readonly T[], test: (item: T) => boolean) => items.filter(test).length / items.length;

function measureSize(model: Model, tokenizer: WordTokenizer, sentences: number): SizeReport {
  const [persons, objects] = [examplesOf(sentences, 'person'), examplesOf(sentences, 'object')];
  const person = accuracy(model, tokenizer, persons);
  const object = accuracy(model, tokenizer, objects);
  const words = [...persons, ...objects].reduce((sum, { prompt }) => sum + splitWords(prompt).length, 0);
  return { sentences, tokens: words / EXAMPLES, person, object, both: (person + object) / 2 };
}

function answeredByLastRoom({ prompt, target }: RetrievalExample): boolean {
  const rooms = splitWords(prompt).filter(({ text }) => (ROOMS as readonly string[]).includes(text));
  return rooms[rooms.length - 1].text === target;
}

function lambdaOf(model: Model): DemoReport['lambda'] {
  const { logits, cache } = model.runWithCache([[0]], { names: ['blocks.*.hook_lambda'], logits: 'last' });
  const values = model.config.blocks.map((_block, i) => cache.get(`blocks.${i}.hook_lambda`)?.dataSync()[0]);
  tf.dispose([logits, ...cache.values()]);
  return values.flatMap((value, i) => {
    const block = model.config.blocks[i];
    return value === undefined || !isDifferential(block) ? [] : [{ value, init: block.lambdaInit }];
  });
}

/** Measures a trained run on {@link EXAMPLES} held-out prompts of each story size up to twice the training length. */
export async function measureDemo(
  run: string,
  config: DemoConfig,
  checkpoint: Checkpoint,
  model: Model,
  tokenizer: WordTokenizer,
  device: string,
): Promise<DemoReport> {
  const metrics = await readMetrics(run);
  const sizes = [2, 4, TRAINING_LENGTH, 8, 2 * TRAINING_LENGTH].map((size) => measureSize(model, tokenizer, size));
  const atLength = [...examplesOf(TRAINING_LENGTH, 'person'), ...examplesOf(TRAINING_LENGTH, 'object')];
  return {
    name: checkpoint.name,
    config,
    parameters: checkpoint.parameterCount,
    device,
    seconds: metrics[metrics.length - 1].time.seconds,
    accuracy: sizes.find(({ sentences }) => sentences === TRAINING_LENGTH)?.both ?? Number.NaN,
    sizes,
    lastRoom: share(atLength, answeredByLastRoom),
    lambda: lambdaOf(model),
  };
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** The README of a demo model. */
export function readme(report: DemoReport): string {
  const { config, sizes, lambda } = report;
  const { model, stages, optimizer, loss } = config;
  const steps = stages.reduce((sum, stage) => sum + stage.steps, 0);
  const last = stages[stages.length - 1];
  const growth = steps - last.steps;
  const again = 'restart' in last.optimizer ? last.optimizer.restart : undefined;
  const restart = again ? `, again from ${again.learning_rate} at step ${growth + again.step}` : '';
  const rows = sizes.map(
    ({ sentences, tokens, person, object, both }) =>
      `| ${sentences}${sentences === TRAINING_LENGTH ? ' (longest in training)' : ''} | ${tokens.toFixed(0)} | ${percent(person)} | ${percent(object)} | ${percent(both)} |`,
  );
  const lambdas = lambda.map(
    ({ value, init }, i) => `| ${i} | ${value.toFixed(4)} | ${init.toFixed(4)} | ${(value - init).toFixed(4)} |`,
  );
  return `# ${report.name}

A small ${lambda.length > 0 ? 'Diff-Mamba-2' : 'Mamba-2'} that answers where a person or an object is. It was trained with Statescope itself; \`npm run train:demo\`
trains it again from the same seed. Its twin has the same depth, width, state size and total inner width, and saw the same data in the same order.

| | |
|---|---|
| Model | ${model.num_hidden_layers} blocks \`${model.layers}\`, d ${model.hidden_size}, expand ${model.expand}, N ${model.state_size}, P ${model.head_dim}, tied head, ${report.parameters.toLocaleString('en')} parameters (float32) |
| Data | generated stories of ${last.data.sentences.join(' to ')} sentences (persons, rooms, objects, noise) with up to ${TRAINING_QUESTIONS} questions each; one sentence in each story supports an answer. A sixteenth of all stories, chosen by a hash of their text, is held out |
| Training | ${steps} steps of ${config.batch_size} stories, seed ${config.seed}; stories grow over the first ${growth} steps |
| Loss | ${loss.answers} × cross-entropy of the answers + ${loss.text} × of every next token |
| Optimizer | AdamW, learning rate ${optimizer.learning_rate} (${optimizer.warmup_steps} steps of warm-up; from step ${growth} a cosine to ${optimizer.final_learning_rate}${restart}), betas ${optimizer.betas.join(' and ')}, weight decay ${optimizer.weight_decay} (not on A_log, D, dt_bias, biases, block norms), gradient norm clipped to ${optimizer.clip_norm} |
| Time | ${formatDuration(report.seconds)} on a shared 2-core machine (${report.device}) |

## Held-out accuracy

The first predicted word, out of the whole vocabulary, is the right room. ${EXAMPLES.toLocaleString('en')} held-out prompts a row, half of them about persons. Naming any room
is right in ${percent(1 / ROOMS.length)} of the cases, naming the last room of the story in ${percent(report.lastRoom)} (longest in training).

**${percent(report.accuracy)}** over stories of ${TRAINING_LENGTH} sentences, the longest told in training. By length:

| sentences | tokens | Where is a person? | Where is an object? | both |
|---|---|---|---|---|
${rows.join('\n')}
${
  lambda.length === 0
    ? ''
    : `
## λ per block

λ = σ(Σ λ_q1) + λ_init. λ_q1 started from the published N(0, 1), whose sum over ${model.hidden_size} values has deviation ${Math.sqrt(Number(model.hidden_size)).toFixed(0)}: σ starts near 0 or near 1 by
chance, has hardly a gradient there, and mostly stays.

| block | λ | λ_init | σ(Σ λ_q1) |
|---|---|---|---|
${lambdas.join('\n')}
`
}`;
}
