import type { Command } from 'commander';
import {
  type Component,
  type Intervention,
  interventionBudget,
  interventionJson,
  interventionSteps,
  interventionTensors,
  type Reading,
} from '@/lib/analysis';
import { partNamed } from '@/lib/api/parts';
import { InputError } from '@/lib/checkpoint';
import { rowAt } from '../blocks';
import { announce, type CausalOptions, causalRequest, namedQuestion, questionOf, withCausal } from '../causal';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { choices, indices, wholeNumber, words } from '../parse';
import { readReference, referenceNote, withReference } from '../reference';
import { openCheckpointOf, openSession } from '../session';

const METHODS = ['zero', 'mean'] as const;

interface InterveneOptions extends Omit<CausalOptions, 'layers'> {
  readonly off?: Component[];
  readonly lambda?: { layer: number; value: number }[];
  readonly method: (typeof METHODS)[number][];
  readonly reference?: string;
  readonly seed: number;
  readonly candidates?: number[];
  readonly batchIndex: number;
}

/** Several changes of a model at once, against the unchanged run. */
export function interveneCommand(program: Command, io: Io, line: string): void {
  const command = program
    .command('intervene')
    .description('take parts out and set λ, all together, and measure the answer');
  withReference(withCausal(command, { layers: false }))
    .option('--off <list>', 'parts: 2 (block), 2.mixer_1, 2.head.3, 2.mixer_1.head.3', parts)
    .option('--lambda <list>', 'λ of single layers: 0=0.5,2=0', lambdas)
    .option('--method <method>', METHODS.join(', '), choices('--method', METHODS), ['zero'])
    .option('--seed <n>', 'of stories', wholeNumber('--seed', 0), 0)
    .option('--candidates <list>', 'token ids for snr_candidates', indices('--candidates'))
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: InterveneOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const { off: removed, lambda, candidates, position } = options;
      const { memory } = causalRequest({ ...options, layers: 'all' }, checkpoint.config);
      const request = {
        tokens: rowAt(await readTokens(options, checkpoint), options.batchIndex),
        candidates,
        position,
        memory,
        removed,
        lambdas: lambda,
        method: options.method[0],
        reference: await readReference(options, checkpoint),
        ...(await questionOf(options, checkpoint, io)),
      };
      const answer = await namedQuestion(request, checkpoint, io);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const budget = interventionBudget(model, request);
      announce(io, 'intervention', budget);
      const found = finish(interventionSteps(model, request), 'block', io);
      if (options.out) await writeTensors(options.out, interventionTensors(found), provenance);
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          ...answer,
          ...interventionJson(found),
          memory_bytes: budget.bytes,
        });
      const rows = [
        ...found.layers.flatMap(({ layer, ...readings }) => allRuns(`layer ${layer}`, readings)),
        ...allRuns('output', found),
      ];
      io.out(`${referenceNote(found.reference)}${table(rows)}`);
    });
}

const allRuns = (
  entry: string,
  { base, changed, frozen_norms }: Pick<Intervention, 'base' | 'changed' | 'frozen_norms'>,
) => [
  shown(entry, 'unchanged', base),
  ...(changed ? [shown('', 'changed', changed)] : []),
  ...(frozen_norms ? [shown('', 'changed, norms frozen', frozen_norms)] : []),
];

const shown = (entry: string, run: string, reading: Reading) => ({
  entry,
  run,
  value: reading.value,
  target_prob: reading.target_prob,
  rank: reading.target_rank,
  target_log_odds: reading.target_log_odds,
  margin: reading.margin,
  snr_vocab: reading.snr_vocab,
  answer: reading.answer,
});

const parts = (text: string): Component[] =>
  words('--off')(text).map((name) => {
    const part = partNamed(name);
    if (part) return part;
    throw new InputError(`--off takes parts such as 2, 2.mixer_1, 2.head.3 or 2.mixer_1.head.3, not "${name}".`);
  });

const lambdas = (text: string): { layer: number; value: number }[] =>
  words('--lambda')(text).map((pair) => {
    const [, layer, value] = /^(\d{1,5})=(.+)$/.exec(pair) ?? [];
    if (layer !== undefined && Number.isFinite(Number(value))) return { layer: Number(layer), value: Number(value) };
    throw new InputError(`--lambda takes layers with their λ such as 0=0.5,2=0, not "${pair}".`);
  });
