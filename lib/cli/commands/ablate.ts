import type { Command } from 'commander';
import {
  type Ablated,
  type AblatedPart,
  type AblationAttribution,
  ablationAttributionBudget,
  ablationAttributionJson,
  ablationAttributionTensors,
  ablationBudget,
  ablationJson,
  ablationSteps,
  checkedAblationSteps,
  type LambdaRun,
  lambdaBudget,
  lambdaSteps,
  METHODS,
  type Method,
  readingTensors,
  type Span,
  UNITS,
  type Unit,
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
  layersName,
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
import { choices, indices, wholeNumber, words } from '../parse';
import { readReference, referenceNote, withReference } from '../reference';
import { openCheckpointOf, openSession } from '../session';

interface AblateOptions extends CausalBatchOptions, RowOptions, EstimateOptions {
  readonly unit: Unit[];
  readonly method: (Method | Way)[];
  readonly reference?: string;
  readonly candidates?: number[];
  readonly spans?: Span[];
  readonly lambda?: number[];
  readonly relative?: boolean;
  readonly together?: boolean;
  readonly batchIndex: number;
}

/** Ablation of blocks, mixers, heads or channels, and overrides of λ. */
export function ablateCommand(program: Command, io: Io, line: string): void {
  const command = program.command('ablate').description('replace what a part brings, or λ, and measure the answer');
  const asked = withRows(
    withAttribution(withExamples(withMixer(withCausal(command, { targetRequired: false })), 0)),
    'token, sentence or class of tokens; without it all tokens at once',
  );
  withReference(asked)
    .option('--unit <unit>', UNITS.join(', '), choices('--unit', UNITS), ['block'])
    .option(
      '--method <list>',
      `what parts are replaced by: ${METHODS.join(', ')}; and exact, or attribution (the same as --attribution)`,
      choices('--method', [...METHODS, ...WAYS]),
      ['zero'],
    )
    .option('--candidates <list>', 'token ids for snr_candidates', indices('--candidates'))
    .option(
      '--spans <list>',
      'replace at these spans of tokens, each by itself: 3:5,7:9; default at all tokens',
      spansOf('--spans'),
    )
    .option('--lambda <list>', 'override λ of differential layers by these values instead', numbers)
    .option('--relative', 'values of --lambda are multiples of each layer’s own λ: 1 is the model as it is')
    .option('--together', 'override λ of all layers at once')
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (given: AblateOptions) => {
      const options = { ...given, attribution: isEstimate(given.attribution, given.method) };
      requireAttribution(options);
      if (options.examples !== undefined) return ablateBatch(options, { io, line });
      requireTarget(options);
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const tokens = rowAt(await readTokens(options, checkpoint), options.batchIndex);
      const { candidates, position, seed, lambda, relative, together, window, prompt, spans } = options;
      const rows = lambda && options.needle !== undefined ? (['class'] as 'class'[]) : options.rows;
      const places = { clean: prompt, changed: prompt, read: position, spans };
      const columns = await columnsAsked({ ...options, rows }, checkpoint, places);
      const common = {
        tokens,
        candidates,
        position,
        ...(await questionOf(options, checkpoint, io)),
        ...causalRequest(options, checkpoint.config),
      };
      if (lambda && options.reference !== undefined)
        throw new InputError('--lambda sets λ and takes nothing from a reference: leave --reference out.');
      if (lambda && options.attribution)
        throw new InputError('--lambda is run with every value, and not estimated: leave --attribution out.');
      const stray = lambda && (spans ? 'spans' : options.rows ? 'rows' : window !== undefined ? 'window' : undefined);
      if (stray)
        throw new InputError(`--lambda sets λ for all tokens of a layer, or of all --together: leave --${stray} out.`);
      if (relative && !lambda) throw new InputError('--relative is of --lambda: give its values.');
      const reference = await readReference(options, checkpoint);
      const answer = await namedQuestion(common, checkpoint, io);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const [unit, method] = [options.unit[0], replacementOf(options.method)];
      const request = {
        ...common,
        unit,
        method,
        reference,
        seed,
        spans: spansOfRows(options, columns, tokens.length),
        classes: columns.classes,
        window,
      };
      if (options.attribution) {
        const budget = ablationAttributionBudget(model, request);
        announce(io, `estimating ${method} ablation of every ${unit}`, budget);
        const found = finish(checkedAblationSteps(model, request, options.check ?? 0), 'block', io);
        if (options.out) await writeTensors(options.out, ablationAttributionTensors(found), provenance);
        if (options.json)
          return printJson(io, {
            ...about(provenance),
            ...answer,
            ...ablationAttributionJson(found),
            memory_bytes: budget.bytes,
          });
        return io.out(estimates(found));
      }
      const overrides = lambda && { ...common, values: lambda, relative, together, classes: columns.classes };
      const budget = overrides ? lambdaBudget(model, overrides) : ablationBudget(model, request);
      announce(io, overrides ? 'override of λ' : `${method} ablation of every ${unit}`, budget);
      const {
        base,
        metric,
        runs,
        reference: used,
        ...dose
      } = overrides
        ? { ...finish(lambdaSteps(model, overrides), 'block', io), reference: null }
        : ablationJson(finish(ablationSteps(model, request), 'block', io));
      if (options.out) await writeTensors(options.out, readingTensors(runs), provenance);
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          ...answer,
          metric,
          reference: used,
          base,
          runs,
          ...dose,
          memory_bytes: budget.bytes,
        });
      const listed: readonly Run[] = overrides ? runs : strongest<Run>(runs, ({ change }) => change);
      io.out(
        `unchanged ${base.value.toFixed(4)} (${metric}), answer ${base.answer}\n${referenceNote(used)}${table(listed.map(shown))}`,
      );
    });
}

/** @throws InputError where several are named */
function replacementOf(named: readonly (Method | Way)[]): Method {
  const [method = 'zero', ...more] = METHODS.filter((one) => named.includes(one));
  if (more.length > 0) throw new InputError(`--method ${method} and ${more[0]} are two replacements: take one.`);
  return method;
}

type Run = Ablated | LambdaRun;

const numbers = (text: string): number[] =>
  words('--lambda')(text).map((word) => {
    const value = Number(word);
    if (Number.isFinite(value)) return value;
    throw new InputError(`--lambda takes numbers separated by commas, not "${word}".`);
  });

async function ablateBatch(options: AblateOptions, output: { readonly io: Io; readonly line: string }): Promise<void> {
  const { unit, method, rows, attribution, check, spans, lambda, relative, together, candidates, reference } = options;
  const { needle, competing, question } = options;
  if (rows && rows[0] !== 'class') throw new InputError('A batch has --rows class, or none: all tokens at once.');
  const first = { ...options, model: options.model.split(/[,+]/)[0] };
  const asked = {
    unit: unit[0],
    method: replacementOf(method),
    reference:
      reference === undefined ? undefined : await readReference(options, await openCheckpointOf(first, output.io)),
    rows: rows?.[0],
    attribution,
  };
  const one = { check, spans, lambda, relative, together, candidates, needle, competing, question };
  return causalBatch('ablate', options, asked, one, output);
}

/** Spans of an ablation: those that are asked for, sentences, or with `--rows token` every token by itself. */
function spansOfRows({ spans, rows }: AblateOptions, columns: { readonly spans?: Span[] }, length: number) {
  if (rows?.[0] === 'token') return Array.from({ length }, (_, t): Span => [t, t + 1]);
  return columns.spans ?? spans;
}

const partShown = ({ layer, layers = [layer], mixer, unit, index, span, class: name }: AblatedPart) => ({
  layer: layersName(layers),
  part: [mixer, unit, index].filter((each) => each !== undefined).join(' '),
  ...(span && { tokens: name ?? spanName(span) }),
});

/** The strongest estimates, with what replacing the part does where that was checked. */
function estimates({ base, metric, reference, components, agreement }: AblationAttribution): string {
  const keyOf = ({ layer, mixer, index, span }: AblatedPart) => [layer, mixer, index, span].join('/');
  const exact = new Map(agreement.flatMap(({ cells }) => cells.map((cell) => [keyOf(cell), cell.exact])));
  const agrees = agreement.map((each) => `${each.point}${agreementText(each, 'ablated')}\n`).join('');
  const rows = strongest(components, ({ change }) => change).map((run) => ({
    ...partShown(run),
    estimated: run.value,
    change: run.change,
    ...(exact.size > 0 && { exact: exact.get(keyOf(run)) }),
  }));
  return `unchanged ${base.value.toFixed(4)} (${metric}), answer ${base.answer}, estimated by attribution\n${referenceNote(reference)}${agrees}${table(rows)}`;
}

const shown = (run: Run) => ({
  ...('lambda' in run ? { layers: run.layers.join(' '), lambda: run.lambda } : partShown(run)),
  value: run.value,
  change: run.change,
  change_frozen_norms: run.frozen_norms.change,
  target_prob: run.target_prob,
  margin: run.margin,
  snr_vocab: run.snr_vocab,
  answer: run.answer,
  ...('lambda' in run &&
    run.needle_against_context && {
      'needle/context by layer': run.needle_against_context.map((share) => share.toFixed(3)).join(' '),
    }),
});
