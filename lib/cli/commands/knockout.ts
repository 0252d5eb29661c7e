import type { Command } from 'commander';
import {
  type Budget,
  checkedKnockoutSteps,
  type KnockoutAttribution,
  type KnockoutGrid,
  type KnockoutRequest,
  knockoutAttributionBudget,
  knockoutAttributionJson,
  knockoutAttributionTensors,
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
  agreementText,
  announce,
  causalRequest,
  columnsAsked,
  type EstimateOptions,
  isEstimate,
  namedQuestion,
  questionOf,
  type RowOptions,
  requireAttribution,
  requireTarget,
  spanName,
  spansOf,
  strongest,
  WAYS,
  type Way,
  withAttribution,
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

interface KnockoutOptions extends CausalBatchOptions, RowOptions, EstimateOptions {
  readonly method?: Way[];
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
    withAttribution(withExamples(withMixer(withCausal(command, { targetRequired: false })), 42)),
    'token, sentence or class of tokens by itself',
  )
    .option('--sources <list>', 'spans of tokens: 3:5,7:9; default each token by itself', spansOf('--sources'))
    .option('--queries <who>', 'who stops reading: later, answer, or a span of tokens 4:9', queriesOf, 'later')
    .option('--reads <scan|block>', 'reads of the scan, or of convolution, scan and D', choices('--reads', READS), [
      'scan',
    ])
    .option('--together', 'knock out in all layers at once')
    .option('--method <name>', 'exact, or attribution (the same as --attribution)', choices('--method', WAYS))
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (given: KnockoutOptions) => {
      const options = { ...given, attribution: isEstimate(given.attribution, given.method) };
      requireAttribution(options);
      if (options.examples !== undefined) {
        const { sources, queries, reads, together, attribution, check, rows, needle, competing, question } = options;
        if (rows && rows[0] !== 'class') throw new InputError('A batch has --rows class.');
        if (typeof queries !== 'string') throw new InputError('--queries of a batch is later or answer.');
        const asked = { queries, reads: reads[0], together, attribution };
        const one = { sources, check, needle, competing, question };
        return causalBatch('knockout', options, asked, one, { io, line });
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
      const report = (found: object, { bytes }: Budget) =>
        printJson(io, {
          ...about(provenance),
          ...answer,
          reads: request.reads,
          queries,
          ...found,
          memory_bytes: bytes,
        });
      if (options.attribution) {
        const budget = knockoutAttributionBudget(model, request);
        announce(io, `estimating knock-outs of reads of the ${request.reads}`, budget);
        const found = finish(checkedKnockoutSteps(model, request, options.check ?? 0), 'block', io);
        if (options.out) await writeTensors(options.out, knockoutAttributionTensors(found), provenance);
        if (options.json) return report(knockoutAttributionJson(found), budget);
        return io.out(estimates(found));
      }
      const budget = knockoutBudget(model, request);
      announce(io, `knocking out reads of the ${request.reads}`, budget);
      const grid = finish(knockoutSteps(model, request), 'block', io);
      if (options.out) await writeTensors(options.out, knockoutTensors(grid), provenance);
      if (options.json) return report(knockoutJson(grid), budget);
      io.out(`unchanged ${grid.base.toFixed(4)} (${grid.metric})\n${readable(grid)}`);
    });
}

const READS = ['scan', 'block'] as const;

const queriesOf = (text: string): KnockoutOptions['queries'] =>
  text === 'later' || text === 'answer' ? text : spansOf('--queries')(text)[0];

/** What is said of every tested cell, strongest first, below what was not tested. */
function cellsTable<Cell extends { readonly change: number }>(
  { layers, spans, classes, tested }: Pick<KnockoutGrid, 'layers' | 'spans' | 'classes' | 'tested'>,
  cell: (at: number, row: number, column: number) => Cell,
): string {
  const names = spans.map((span, column) => classes?.[column].class ?? spanName(span));
  const cells = layers.flatMap((group, row) =>
    spans.flatMap((_, column) =>
      tested[column]
        ? { layers: group.join(' '), tokens: names[column], ...cell(row * spans.length + column, row, column) }
        : [],
    ),
  );
  const idle = names.filter((_, column) => !tested[column]);
  const note = idle.length > 0 ? `not tested, since nobody who stops reading could read it: ${idle.join(', ')}\n` : '';
  return note + table(strongest(cells, ({ change }) => change));
}

const readable = ({ without, change, frozen_norms, ...grid }: KnockoutGrid): string =>
  cellsTable(grid, (at) => ({
    without: without[at],
    change: change[at],
    change_frozen_norms: frozen_norms.change[at],
  }));

/** The strongest estimates, with what knocking them out does where that was checked. */
function estimates({ without, change, agreement: [agreement], ...grid }: KnockoutAttribution): string {
  const { layers, spans, base, metric } = grid;
  const cells = cellsTable(grid, (at, row, column) => ({
    estimated: without[at],
    change: change[at],
    ...(agreement && {
      exact: agreement.cells.find(({ layer, span }) => layer === layers[row][0] && span === spans[column])?.exact,
    }),
  }));
  return `unchanged ${base.toFixed(4)} (${metric}), estimated by attribution${agreementText(agreement, 'knocked out')}\n${cells}`;
}
