import { join } from 'node:path';
import type { Command } from 'commander';
import {
  type Lens,
  lensFaults,
  lensSteps,
  readHeldOut,
  readTunedLens,
  residualsOf,
  TUNED_LENS_FOLDER,
} from '@/lib/analysis';
import type { OutputTensor } from '@/lib/checkpoint';
import { LENS_STATISTICS, type LensStatistic } from '@/lib/vocabulary';
import { positionsOf, readIdRows, readTokens, requireEqualLengths } from '../input';
import { finish, type Io } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { indices } from '../parse';
import { openCheckpointOf, openSession } from '../session';
import { type NamedToken, namerOf, showToken } from '../tokenizers';

interface LensOptions extends CommonOptions {
  readonly targets: number[];
  readonly candidates?: string;
  readonly position: string;
  /** True for the one beside the model. */
  readonly tuned?: string | true;
}

/** Logit lens, or tuned lens, of every layer. */
export function lensCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('lens').description('what every layer would answer: logit or tuned lens')))
    .requiredOption('--targets <list>', 'one token id per row of the input', indices('--targets'))
    .option('--candidates <list|file>', 'token ids for every row, or a JSON file with one list a row')
    .option('--position <n|all>', 'position to read; negative numbers count from the end', '-1')
    .option('--tuned [folder]', 'use the translators of a tuned lens; by default those in the model’s folder')
    .action(async (options: LensOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const rows = requireEqualLengths(await readTokens(options, checkpoint));
      const positions = positionsOf(options.position, rows[0].length);
      const candidates = await candidatesOf(options.candidates, rows.length);
      const tuned = options.tuned === true ? join(checkpoint.path, TUNED_LENS_FOLDER) : options.tuned;
      const translators = tuned ? await readTunedLens(tuned, checkpoint.config.d) : undefined;
      const heldOut = tuned ? await readHeldOut(tuned) : undefined;
      if (heldOut !== undefined) for (const fault of lensFaults(heldOut)) io.err(`${fault}\n`);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const request = { targets: options.targets, candidates, positions, translators };
      const lens = finish(lensSteps(model, residualsOf(model, rows), request), 'lens', io);

      const named = await namerOf(checkpoint);
      const statistics = LENS_STATISTICS.filter((name) => name !== 'snr_candidates' || candidates);
      const prefix = translators ? 'tuned_lens' : 'logit_lens';
      const shape = [lens.entries.length, lens.B, positions.length];
      const tensors = statistics.map(
        (name): OutputTensor => ({
          name: `${prefix}.${name}`,
          shape,
          data: Float32Array.from(lens.statistics[name]),
        }),
      );
      // For programs that read files of the version before, which called the margin so; the next version leaves it out.
      const former = { ...tensors[statistics.indexOf('margin')], name: `${prefix}.log_odds` };
      if (options.out) {
        await writeTensors(options.out, [...tensors, former], provenance);
        io.err(`${former.name} is the former name of ${prefix}.margin; it is written for one version more.\n`);
      }
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          lens: prefix,
          shape,
          targets: options.targets.map(named),
          ...(tuned && { held_out: heldOut }),
          ...asJson(lens, statistics),
        });
      io.out(readable(lens, statistics, options.targets.map(named)));
    });
}

async function candidatesOf(text: string | undefined, B: number): Promise<readonly number[][] | undefined> {
  if (text === undefined) return undefined;
  if (text.endsWith('.json')) return readIdRows(text, 'candidates file');
  const ids = indices('--candidates')(text);
  return Array.from({ length: B }, () => ids);
}

function asJson({ entries, positions, B, statistics }: Lens, names: readonly LensStatistic[]) {
  const P = positions.length;
  const nested = (values: Float64Array) =>
    entries.map((_, entry) =>
      Array.from({ length: B }, (_, row) => [...values.subarray((entry * B + row) * P, (entry * B + row + 1) * P)]),
    );
  const values = Object.fromEntries(names.map((name) => [name, nested(statistics[name])]));
  return { entries, positions, statistics: values };
}

/** One table per row and position. */
function readable(
  { entries, positions, B, statistics }: Lens,
  names: readonly LensStatistic[],
  targets: readonly NamedToken[],
): string {
  const P = positions.length;
  return Array.from({ length: B * P }, (_, column) => {
    const row = Math.floor(column / P);
    const lines = entries.map((entry, k) => ({
      entry,
      ...Object.fromEntries(names.map((name) => [name, statistics[name][k * B * P + column]])),
    }));
    return `row ${row}, position ${positions[column % P]}, target ${showToken(targets[row])}\n${table(lines)}`;
  }).join('\n');
}
