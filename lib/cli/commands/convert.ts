import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { saveCheckpoint } from '@/lib/checkpoint';
import {
  CONVERSION_KINDS,
  CONVERSION_LAYOUTS,
  type ConversionKind,
  type ConversionLayout,
  convertCheckpoint,
} from '@/lib/conversion';
import { tokenizerJson } from '@/lib/tokenizer';
import type { Io } from '../io';
import { withJson, withTokenizerOption } from '../options';
import { printJson } from '../output';
import { indices, wholeNumber } from '../parse';
import { openCheckpointOf } from '../session';

interface ConvertOptions {
  readonly model: string;
  readonly tokenizer?: string;
  readonly to: ConversionKind;
  readonly pattern: 'all' | 'quarter' | 'alternate' | number[];
  readonly layout: ConversionLayout;
  readonly seed: number;
  readonly out: string;
  readonly json?: boolean;
}

const NAMED = ['all', 'quarter', 'alternate'] as const;

/** Turns blocks of a plain model into differential ones and saves the result in Statescope's own format. */
export function convertCommand(program: Command, io: Io): void {
  withJson(withTokenizerOption(program.command('convert').description('make a differential model of a plain one')))
    .requiredOption('--model <name|folder>', 'a name that "models" lists, or a folder with config.json')
    .addOption(new Option('--to <kind>', 'kind of the new blocks').choices(CONVERSION_KINDS).makeOptionMandatory())
    .requiredOption('--pattern <blocks>', 'all, quarter (the last), alternate (even ones), or a list: 0,3', patternOf)
    .addOption(
      new Option('--layout <how>', 'raw slices as published, or aware of what rows mean')
        .choices(CONVERSION_LAYOUTS)
        .default('raw'),
    )
    .option('--seed <n>', 'of the λ vectors', wholeNumber('--seed', 0), 0)
    .requiredOption('--out <folder>', 'where the new checkpoint goes')
    .action(async ({ out, json, ...options }: ConvertOptions) => {
      const source = await openCheckpointOf(options, io);
      const { name, config, tensors, parameterCount } = convertCheckpoint(source, options);
      // What is only taken because it fits is taken again for the new model, which has the same vocabulary.
      const kept = source.tokenizer?.source === 'fallback' ? undefined : source.tokenizerPath;
      const isCopied = kept !== undefined && basename(kept) === 'tokenizer.json';
      await saveCheckpoint(out, config, tensors, {
        ...(isCopied ? { tokenizerPath: kept } : kept !== undefined && { tokenizer: await tokenizerJson(kept) }),
      });
      const layers = config.blocks.map(({ kind }) => kind);
      if (json) return printJson(io, { name, path: out, layers, parameters: parameterCount });
      io.out(`${name} in ${out}: ${layers.join(', ')}; ${parameterCount} parameters\n`);
    });
}

const patternOf = (text: string): ConvertOptions['pattern'] =>
  NAMED.find((name) => name === text) ?? indices('--pattern')(text);
