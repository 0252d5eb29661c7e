import type { Tensor } from '@tensorflow/tfjs';
import type { Command } from 'commander';
import { NARROW_POINTS } from '@/lib/architectures/places';
import { InputError, type OutputTensor } from '@/lib/checkpoint';
import { matcher } from '@/lib/models';
import { readTokens, requireEqualLengths } from '../input';
import type { Io } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { printRows, requireWritable, writeTensors } from '../output';
import { words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const patternsOf = (names: readonly string[]): string[] =>
  names.flatMap((name) => (name === 'all' ? NARROW_POINTS : [name]));

/** Forward pass; keeps the tensors at the hook points that were named. */
export function runCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('run').description('forward pass, with the tensors at chosen hook points')))
    .requiredOption('--names <list>', 'hook names, with * as wildcard, or "all"', words('--names'))
    .action(async (options: CommonOptions & { names: string[] }) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const tokens = requireEqualLengths(await readTokens(options, checkpoint));
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const names = patternsOf(options.names);
      const observed = ['hook_norm', 'hook_logits'].some((point) => names.some((name) => matcher(name)(point)));
      const { logits, cache } = model.runWithCache(tokens, { names, logits: observed ? 'all' : 'last' });
      logits.dispose();
      requireEveryName(options.names, cache);
      const tensors = await Promise.all([...cache].map(([name, tensor]) => toOutput(name, tensor)));
      if (options.out) await writeTensors(options.out, tensors, provenance);
      printRows(io, tensors.map(summary), options.json ?? false, provenance);
    });
}

function requireEveryName(names: readonly string[], cache: ReadonlyMap<string, Tensor>): void {
  const unmatched = names.find((name) => name !== 'all' && ![...cache.keys()].some(matcher(name)));
  if (unmatched === undefined) return;
  throw new InputError(
    `No hook point of this model is called "${unmatched}": see "run --names all --json" for the names, or use * as wildcard.`,
  );
}

async function toOutput(name: string, tensor: Tensor): Promise<OutputTensor> {
  return { name, shape: tensor.shape, data: (await tensor.data()) as Float32Array };
}

function summary({ name, shape, data }: OutputTensor) {
  let [sum, top] = [0, 0];
  for (const value of data) {
    sum += value;
    top = Math.max(top, Math.abs(value));
  }
  return { name, shape, mean: sum / data.length, max_abs: top };
}
