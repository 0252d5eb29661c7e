import * as tf from '@tensorflow/tfjs';
import type { Command } from 'commander';
import { InputError, type OutputTensor } from '@/lib/checkpoint';
import { lossAndGradients } from '@/lib/models';
import { readTokens, requireEqualLengths } from '../input';
import type { Io } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { openCheckpointOf, openSession } from '../session';

/** Next-token loss and the gradients of all parameters, under their names in the checkpoint. */
export function gradCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('grad').description('next-token loss and gradients of all parameters'))).action(
    async (options: CommonOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const rows = requireEqualLengths(await readTokens(options, checkpoint));
      const L = rows[0].length;
      if (L < 2) throw new InputError('A next-token loss needs at least two tokens in a row.');
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const tokens = tf.tensor2d(rows.flat(), [rows.length, L], 'int32');
      const { loss, gradients } = lossAndGradients(model, tokens);
      const tensors: OutputTensor[] = [{ name: 'loss', shape: [], data: (await loss.data()) as Float32Array }];
      for (const [canonical, gradient] of gradients) {
        const name = checkpoint.tensors.get(canonical)?.sourceName ?? canonical;
        tensors.push({ name: `grad.${name}`, shape: gradient.shape, data: (await gradient.data()) as Float32Array });
      }
      if (options.out) await writeTensors(options.out, tensors, provenance);
      const [{ data }, ...parts] = tensors;
      const gradientRows = parts.map(({ name, shape, data: values }) => ({ name, shape, norm: norm(values) }));
      if (options.json) return printJson(io, { ...about(provenance), loss: data[0], gradients: gradientRows });
      io.out(`loss ${data[0]}\n${table(gradientRows)}`);
    },
  );
}

const norm = (values: ArrayLike<number>) => {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k] ** 2;
  return Math.sqrt(sum);
};
