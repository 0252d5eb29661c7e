import type { Command } from 'commander';
import { type Attribution, directLogitAttribution } from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { positionsOf, readTokens } from '../input';
import type { Io } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { indices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';
import { type NamedToken, namerOf, showToken } from '../tokenizers';

interface AttributeOptions extends CommonOptions {
  readonly targets: number[];
  readonly position: string;
  readonly batchIndex: number;
}

/** Direct logit attribution: what the embedding, every block and every branch add to a logit. */
export function attributeCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('attribute').description('which block and branch a logit comes from, exactly')))
    .requiredOption('--targets <list>', 'token ids whose logits are taken apart', indices('--targets'))
    .option('--position <n|all>', 'position to read; negative numbers count from the end', '-1')
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: AttributeOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const rows = await readTokens(options, checkpoint);
      const row = rows[options.batchIndex];
      if (!row)
        throw new InputError(`There is no row ${options.batchIndex}: the input has ${rows.length}, numbered from 0.`);
      const positions = positionsOf(options.position, row.length);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const found = directLogitAttribution(model, row, { targets: options.targets, positions });
      const { targets, components, contributions, blocks, logits, error } = found;
      const [T, P] = [targets.length, positions.length];
      const tensor = (name: string, shape: number[], data: Float64Array) => ({
        name: `attribution.${name}`,
        shape,
        data: Float32Array.from(data),
      });
      const tensors = [
        tensor('components', [T, components.length, P], contributions),
        tensor('blocks', [T, blocks.length / (T * P), P], blocks),
        tensor('logits', [T, P], logits),
      ];
      if (options.out) await writeTensors(options.out, tensors, provenance);
      const labels = components.map(({ block, part }) => (part === 'embedding' ? part : `layer ${block} ${part}`));
      const named = await namerOf(checkpoint);
      if (!options.json) return io.out(readable(found, labels, named));
      printJson(io, {
        ...about(provenance),
        components: labels,
        targets,
        target_tokens: targets.map(named),
        positions,
        contributions: [...contributions],
        blocks: [...blocks],
        logits: [...logits],
        reconstruction_error: error,
      });
    });
}

/** One table per target and position. */
function readable(
  { targets, positions, contributions, logits }: Attribution,
  labels: readonly string[],
  named: (id: number) => NamedToken,
): string {
  const P = positions.length;
  return targets
    .flatMap((target, t) =>
      positions.map((position, p) => {
        const lines = labels.map((component, c) => ({
          component,
          contribution: contributions[(t * labels.length + c) * P + p],
        }));
        const logit = { component: 'logit', contribution: logits[t * P + p] };
        return `target ${showToken(named(target))}, position ${position}\n${table([...lines, logit])}`;
      }),
    )
    .join('\n');
}
