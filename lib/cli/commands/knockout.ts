import type { Command } from 'commander';
import {
  type KnockoutGrid,
  type KnockoutRequest,
  knockoutBudget,
  knockoutJson,
  knockoutSteps,
  knockoutTensors,
  type Reads,
  type Span,
} from '@/lib/analysis';
import { InputError } from '@/lib/checkpoint';
import { rowAt } from '../blocks';
import {
  announce,
  causalRequest,
  columnsAsked,
  namedQuestion,
  questionOf,
  type RowOptions,
  requireTarget,
  spanName,
  spansOf,
  strongest,
  withCausal,
  withMixer,
  withRows,
} from '../causal';
import { type CausalBatchOptions, causalBatch, withExamples } from '../causal-batch';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { choices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';

interface KnockoutOptions extends CausalBatchOptions, RowOptions {
  readonly sources?: Span[];
  readonly queries: NonNullable<KnockoutRequest['queries']>;
  readonly reads: Reads[];
  readonly together?: boolean;
  readonly batchIndex: number;
}

/** Removes what later tokens read from given tokens, exactly, through the scan. */
export function knockoutCommand(program: Command, io: Io, line: string): void {
  const command = program
    .command('knockout')
    .description('remove reads of source tokens, exactly, and measure the answer');
  withRows(
    withExamples(withMixer(withCausal(command, { targetRequired: false })), 42),
    'token, sentence or class of tokens by itself',
  )
    .option('--sources <list>', 'spans of tokens: 3:5,7:9; default each token by itself', spansOf('--sources'))
    .option('--queries <who>', 'who stops reading: later, answer, or a span of tokens 4:9', queriesOf, 'later')
    .option('--reads <scan|block>', 'reads of the scan, or of convolution, scan and D', choices('--reads', READS), [
      'scan',
    ])
    .option('--together', 'knock out in all layers at once')
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: KnockoutOptions) => {
      if (options.examples !== undefined) {
        const { sources, queries, reads, together, rows, needle, competing, question } = options;
        if (rows && rows[0] !== 'class') throw new InputError('A batch has --rows class.');
        if (typeof queries !== 'string') throw new InputError('--queries of a batch is later or answer.');
        const asked = { queries, reads: reads[0], together };
        return causalBatch('knockout', options, asked, { sources, needle, competing, question }, { io, line });
      }
      requireTarget(options);
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const tokens = rowAt(await readTokens(options, checkpoint), options.batchIndex);
      const { sources, queries, together, position, window, prompt } = options;
      const columns = await columnsAsked(options, checkpoint, {
        clean: prompt,
        changed: prompt,
        read: position,
        spans: sources,
      });
      const request = {
        tokens,
        spans: sources,
        ...columns,
        window,
        queries,
        together,
        position,
        reads: options.reads[0],
        ...(await questionOf(options, checkpoint, io)),
        ...causalRequest(options, checkpoint.config),
      };
      const answer = await namedQuestion(request, checkpoint, io);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const budget = knockoutBudget(model, request);
      announce(io, `knocking out reads of the ${request.reads}`, budget);
      const grid = finish(knockoutSteps(model, request), 'block', io);
      if (options.out) await writeTensors(options.out, knockoutTensors(grid), provenance);
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          ...answer,
          reads: request.reads,
          queries,
          ...knockoutJson(grid),
          memory_bytes: budget.bytes,
        });
      io.out(`unchanged ${grid.base.toFixed(4)} (${grid.metric})\n${readable(grid)}`);
    });
}

const READS = ['scan', 'block'] as const;

const queriesOf = (text: string): KnockoutOptions['queries'] =>
  text === 'later' || text === 'answer' ? text : spansOf('--queries')(text)[0];

function readable({ layers, spans, classes, tested, without, change, frozen_norms }: KnockoutGrid): string {
  const cells = layers.flatMap((group, row) =>
    spans.flatMap((span, column) => {
      if (!tested[column]) return [];
      const at = row * spans.length + column;
      return {
        layers: group.join(' '),
        tokens: classes?.[column].class ?? spanName(span),
        without: without[at],
        change: change[at],
        change_frozen_norms: frozen_norms.change[at],
      };
    }),
  );
  const names = spans.map((span, column) => classes?.[column].class ?? spanName(span));
  const idle = names.filter((_, column) => !tested[column]);
  const note = idle.length > 0 ? `not tested, since nobody who stops reading could read it: ${idle.join(', ')}\n` : '';
  return note + table(strongest(cells, ({ change }) => change));
}
