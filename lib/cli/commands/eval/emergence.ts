import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { openSource } from '@/lib/data/sources';
import { type Criterion, criteria, type EmergenceReport, emergence, readOuts, resamplingOf } from '@/lib/evaluation';
import { RESAMPLES } from '@/lib/vocabulary';
import { readJson } from '../../input';
import type { Io } from '../../io';
import { withDevice, withJson } from '../../options';
import { printJson, table } from '../../output';
import { wholeNumber } from '../../parse';
import { type ModelOptions, openCheckpointOf, openSession } from '../../session';
import { percent } from './common';

interface EmergenceOptions extends ModelOptions {
  readonly data: string;
  readonly n: number;
  readonly seed: number;
  readonly out?: string;
  readonly json?: boolean;
}

const LABELS = ['one-hop', 'two-hop'];

/** Where over the blocks a model comes to the answers of stories, and whether it is a specimen worth looking at. */
export function emergenceCommand(parent: Command, io: Io): void {
  withJson(withDevice(parent.command('emergence').description('where over the blocks the answer comes about')))
    .requiredOption('--model <model>', 'a folder or a name')
    .requiredOption('--data <file>', 'the source to ask about, as JSON; its test rows are read')
    .option('--n <n>', 'questions of one hop, and as many of two', wholeNumber('--n', 1), 500)
    .option('--seed <n>', 'of the bootstrap', wholeNumber('--seed', 0), 42)
    .option('--out <file>', 'write the report there, as JSON')
    .action(async ({ data, n, seed, out, json, ...options }: EmergenceOptions) => {
      const source = await openSource(await readJson(data, 'data'));
      const rows = readOuts(source, 'test', LABELS, n);
      const { model } = await openSession(await openCheckpointOf(options, io), options, 'eval emergence', io);
      const measured = emergence(model, rows, resamplingOf(seed, RESAMPLES));
      const report = { ...measured, criteria: criteria(measured) };
      if (out) await writeFile(out, `${JSON.stringify({ data: await readJson(data, 'data'), ...report }, null, 2)}\n`);
      if (json) return printJson(io, report);
      io.out(text(report));
    });
}

function text({ rows, tokens, labels, p, lags, criteria: asked }: EmergenceReport & { criteria: Criterion[] }): string {
  const blocks = (curve: readonly number[]) =>
    Object.fromEntries(curve.map((value, block) => [`block ${block}`, value.toFixed(3)]));
  const distances = labels.flatMap((one) => one.distances);
  return [
    `${rows} questions, ${tokens.toFixed(0)} tokens up to the answer\n`,
    table(
      labels.map(({ label, accuracy, naming }) => ({
        questions: label,
        'right %': percent(accuracy),
        'naming any place %': (100 * naming.any).toFixed(1),
        'naming the last %': (100 * naming.last).toFixed(1),
      })),
    ),
    ...(distances.length > 0
      ? [
          'by tokens from the first fact that decides it to the answer\n',
          table(
            labels.flatMap(({ label, distances: all }) =>
              all.map(({ from, to, n, accuracy }) => ({
                questions: label,
                tokens: `${from} to ${to - 1}`,
                'right %': (100 * accuracy).toFixed(1),
                n,
              })),
            ),
          ),
        ]
      : []),
    'mean p(answer) after each block\n',
    table([
      ...labels.map(({ label, p: curve, half }) => ({
        questions: label,
        ...blocks(curve),
        'half after': `block ${half}`,
      })),
      { questions: 'both', ...blocks(p), 'half after': '' },
    ]),
    'without one lag of the first convolution\n',
    table(lags.map(({ lag, p: without, loss }) => ({ lag, 'p(answer)': without.toFixed(3), less: loss.toFixed(3) }))),
    table(asked.map(({ asks, measured, met }) => ({ asks, measured, met: met ? 'yes' : 'no' }))),
  ].join('\n');
}
