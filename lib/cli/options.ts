import { type Command, Option } from 'commander';
import { WEIGHT_CHOICES } from '@/lib/vocabulary';
import type { InputOptions } from './input';
import { indices, wholeNumber } from './parse';
import type { DeviceOptions, ModelOptions } from './session';

export interface OutputOptions {
  readonly out?: string;
  readonly json?: boolean;
}

/** The options that most commands share. */
export type CommonOptions = ModelOptions & InputOptions & OutputOptions & DeviceOptions;

const LONGEST_INPUT = 8192;

export const withDevice = (command: Command): Command =>
  command
    .option('--device <name>', 'auto, tensorflow, webgpu, native, wasm or cpu (default: STATESCOPE_DEVICE, else auto)')
    .option('--threads <n>', 'threads of the native device', wholeNumber('--threads', 1));

/** How the matrices are kept. */
export const withWeights = (command: Command): Command =>
  command.addOption(
    new Option(
      '--weights <format>',
      'matrices as the file has them (bf16 stays 16 bits where the device computes from it), widened to float32, or rounded to bf16 (default: STATESCOPE_WEIGHTS, else file)',
    ).choices([...WEIGHT_CHOICES]),
  );

export const withJson = (command: Command): Command => command.option('--json', 'print JSON to stdout');

/** What reads text and names tokens, in place of the model's own. */
export const withTokenizerOption = (command: Command): Command =>
  command.option(
    '--tokenizer <name|file>',
    'of another model, a tokenizer.json or vocab.json, or gpt-neox-20b; default the model’s own, else gpt-neox-20b where it fits',
  );

/** Model, input, device and output, as every command that computes takes them. @param model how `--model` is given */
export const withCommon = (
  command: Command,
  model = new Option(
    '--model <name|folder>',
    'a name that "models" lists, or a folder with config.json',
  ).makeOptionMandatory(),
): Command =>
  withJson(
    withDevice(
      withTokenizerOption(withWeights(command))
        .addOption(model)
        .option('--tokens <file>', 'token ids as JSON, one list per row: [[5, 9, 12]]')
        .option('--ids <list>', 'the token ids of one row instead: 5,9,12', indices('--ids'))
        .option('--prompt <text>', 'a text instead')
        .option('--max-tokens <n>', 'longest row that is accepted', wholeNumber('--max-tokens', 1), LONGEST_INPUT),
    ),
  );

export const withOut = (command: Command): Command =>
  command.option('--out <file>', 'write the tensors here: .safetensors, or .npz');
