import { type Checkpoint, type CheckpointTensor, InputError, isDifferential, writeStatescope } from '@/lib/checkpoint';
import { convertCheckpoint } from '@/lib/conversion';
import { Random } from '@/lib/random';
import { tokenizerJson } from '@/lib/tokenizer';
import { modelConfigOf, type TrainingConfig } from './config';
import { INITIAL, initialCheckpoint, isLambda } from './initialise';
import type { DataDescription } from './rows';

/** A model as training finds it, and the tokenizer that its data are written with. */
export interface Beginning {
  readonly checkpoint: Checkpoint;
  /** The text of a tokenizer.json; none where data are numbers. */
  readonly tokenizer?: string;
}

/**
 * The fresh model of a configuration, or the checkpoint that it names, converted where it says so.
 * @param open reads the checkpoint of a name or folder, with another tokenizer than its own where one is named
 * @throws InputError where model, checkpoint and data do not fit together
 */
export async function beginningOf(
  config: TrainingConfig,
  data: DataDescription,
  open: (checkpoint: string, tokenizer?: string) => Promise<Checkpoint>,
): Promise<Beginning> {
  const tokenizer = tokenizerOf(data);
  if (!config.from) {
    const initial = {
      ...INITIAL,
      ...(config.embedding_deviation && { embeddingDeviation: config.embedding_deviation }),
      ...(config.decay_start && { decayRange: config.decay_start }),
      ...(config.lambda_start && { lambda: config.lambda_start }),
    };
    const model = modelConfigOf(config, data.vocabularySize);
    return { checkpoint: initialCheckpoint(model, new Random(config.seed), config.name, initial), tokenizer };
  }
  const base = await open(config.from.checkpoint, config.from.tokenizer);
  const checkpoint = config.from.convert ? converted(base, config) : base;
  // What could not be saved in the end is refused before the first step.
  writeStatescope(checkpoint.config);
  return withData({ ...checkpoint, name: config.name }, data);
}

/** A trained model with the tokenizer of its data, or its own. @throws InputError where they do not fit together */
export async function withData(checkpoint: Checkpoint, data: DataDescription): Promise<Beginning> {
  const tokenizer = tokenizerOf(data);
  const { vocabulary } = checkpoint.config;
  if (data.vocabularySize > vocabulary)
    throw new InputError(
      `The data have ${data.vocabularySize} tokens and ${checkpoint.name} knows ${vocabulary}: encode them with its tokenizer.`,
    );
  const own = checkpoint.tokenizerPath && (await tokenizerJson(checkpoint.tokenizerPath));
  if (own && tokenizer && vocabularyOf(own) !== vocabularyOf(tokenizer))
    throw new InputError(
      `The tokenizer of the data is not that of ${checkpoint.name}: the same numbers would be other words.`,
    );
  return { checkpoint, tokenizer: own || tokenizer };
}

function converted(base: Checkpoint, { from, seed, lambda_start }: TrainingConfig): Checkpoint {
  const options = { layout: 'aware' as const, pattern: 'all' as const, seed, ...from?.convert };
  const checkpoint = convertCheckpoint(base, { ...options, to: options.to as NonNullable<typeof options.to> });
  if (!lambda_start) return checkpoint;
  const { mean, deviation } = lambda_start;
  const wasPlain = (name: string) =>
    !isDifferential(base.config.blocks[Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? 0)]);
  const drawn = ([name, tensor]: [string, CheckpointTensor]): [string, CheckpointTensor] =>
    isLambda(name) && wasPlain(name)
      ? [name, { ...tensor, data: tensor.data.map((value) => mean + deviation * value) }]
      : [name, tensor];
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors].map(drawn)) };
}

/** The one tokenizer of all sources that have one. @throws InputError where there are two */
function tokenizerOf({ tokenizers, cards }: DataDescription): string | undefined {
  const written = tokenizers.flatMap((tokenizer, k) =>
    tokenizer ? [{ name: cards[k].name, text: `${JSON.stringify(tokenizer, null, 1)}\n` }] : [],
  );
  const other = written.find(({ text }) => text !== written[0].text);
  if (other)
    throw new InputError(
      `The data ${written[0].name} and ${other.name} have different tokenizers: the same numbers would be other words.`,
    );
  return written[0]?.text;
}

const vocabularyOf = (tokenizer: string) => JSON.stringify(JSON.parse(tokenizer).model?.vocab);
