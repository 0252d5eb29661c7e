import type { Command } from 'commander';
import {
  type AlignedSpans,
  attributedEffects,
  attributionBudget,
  attributionJson,
  attributionTensors,
  type CheckedAttribution,
  checkedAttributionSteps,
  effectsOf,
  metricOf,
  type Patched,
  type PatchGrid,
  patchBudget,
  patchJson,
  patchSteps,
  patchTensors,
  type Span,
} from '@/lib/analysis';
import { type Checkpoint, InputError } from '@/lib/checkpoint';
import {
  ATTRIBUTION_METRICS,
  type AttributionMetric,
  PATCH_DIRECTIONS,
  PATCH_METRICS,
  type PatchDirection,
  type PatchMetric,
} from '@/lib/vocabulary';
import {
  agreementText,
  announce,
  causalRequest,
  columnsAsked,
  isEstimate,
  layersName,
  namedQuestion,
  questionOf,
  type RowOptions,
  requireTarget,
  spanName,
  spansOf,
  strongest,
  WAYS,
  type Way,
  withCausal,
  withMixer,
  withRows,
} from '../causal';
import { type CausalBatchOptions, causalBatch, withExamples } from '../causal-batch';
import { readTokens } from '../input';
import { finish, type Io } from '../io';
import { about, printJson, requireWritable, table, writeTensors } from '../output';
import { choices, indices, wholeNumber, words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const STREAM = 'hook_resid_pre';

interface PatchOptions extends CausalBatchOptions, RowOptions {
  readonly method?: Way[];
  readonly corrupted?: string;
  readonly point?: string;
  readonly attribution?: boolean;
  readonly points?: string[];
  readonly steps?: number;
  readonly check?: number;
  readonly direction: PatchDirection[];
  readonly metric?: PatchMetric[];
  readonly spans?: Span[];
  readonly align?: AlignedSpans[];
  readonly channels?: number[];
  readonly heads?: number[];
}

/** Activation and state patching: what of a clean prompt restores its answer in a corrupted one. */
export function patchCommand(program: Command, io: Io, line: string): void {
  const command = program
    .command('patch')
    .description('carry activations or states of a clean prompt into a corrupted one');
  withRows(
    withExamples(withMixer(withCausal(command, { targetRequired: false })), 42),
    'token, sentence or class of tokens as a whole',
  )
    .option('--corrupted <text>', 'the corrupted prompt; --tokens holds both as [[clean], [corrupted]]')
    .option(
      '--point <name>',
      `hook point of a block, hook_h (states), or ssm, conv (decoding); default ${STREAM}, of an attribution see --points`,
    )
    .option(
      '--direction <name>',
      'denoise: the clean run into the corrupted prompt; noise: the corrupted run into the clean prompt',
      choices('--direction', PATCH_DIRECTIONS),
      ['denoise'],
    )
    .option(
      '--metric <name>',
      `measure of the table (JSON and tensors hold all): ${PATCH_METRICS.join(', ')}`,
      choices('--metric', PATCH_METRICS),
    )
    .option('--spans <list>', 'spans of tokens patched as a whole: 3:5,7:9; default each token', spansOf('--spans'))
    .option('--align <list>', 'tokens that stand for each other, clean=corrupted: 0:4=0:4,6:9=5:8', alignment)
    .option('--channels <list>', 'patch only these channels', indices('--channels'))
    .option('--heads <list>', 'patch only these heads', indices('--heads'))
    .option('--attribution', 'estimate all cells at once by one backward pass, at several kinds of points')
    .option('--method <name>', 'exact, or attribution (the same as --attribution)', choices('--method', WAYS))
    .option(
      '--points <list>',
      'of an attribution: hook points, mixer_1, mixer_2, hook_h, ssm; default streams, block outputs, branches',
      words('--points'),
    )
    .option(
      '--steps <n>',
      'of an attribution: runs between both prompts that gradients are averaged over (1)',
      wholeNumber('--steps', 1),
    )
    .option(
      '--check <n>',
      'of an attribution: patch the strongest n cells of every kind exactly, too (0)',
      wholeNumber('--check', 0),
    )
    .action(async (given: PatchOptions) => {
      const options = { ...given, attribution: isEstimate(given.attribution, given.method) };
      if (options.point !== undefined && options.points)
        throw new InputError('--point and --points name the same: take one, for an attribution of several --points.');
      if (options.examples !== undefined) {
        const {
          corrupted,
          point,
          points,
          attribution,
          direction,
          metric,
          steps,
          check,
          spans,
          align,
          channels,
          heads,
        } = options;
        const { rows, needle, competing, question } = options;
        if (rows && rows[0] !== 'class') throw new InputError('A batch has --rows class.');
        if (points && points.length > 1) throw new InputError('A batch takes one point: name it as --point.');
        const asked = {
          point: points?.[0] ?? point ?? STREAM,
          direction: direction[0],
          metric: metric?.[0],
          method: attribution ? 'attribution' : 'exact',
          steps,
        };
        const one = { corrupted, check, spans, align, channels, heads, needle, competing, question };
        return causalBatch('patch', options, asked, one, { io, line });
      }
      requireTarget(options);
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const [clean, corrupted] = await promptsOf(options, checkpoint);
      const { point = STREAM, spans, align, channels, heads, position, window } = options;
      const direction = options.direction[0];
      const question = await questionOf(options, checkpoint, io);
      const metric = options.metric?.[0] ?? metricOf(question);
      requireOptions(options, metric);
      if (metric === 'logit_difference' && question.foil === undefined)
        throw new InputError('--metric logit_difference is target minus foil: give a --foil.');
      const columns = await columnsAsked(options, checkpoint, {
        clean: options.prompt,
        changed: direction === 'denoise' ? options.corrupted : options.prompt,
        read: position,
        spans,
      });
      const request = {
        clean,
        corrupted,
        point,
        direction,
        spans,
        ...columns,
        window,
        align,
        channels,
        heads,
        position,
        ...question,
        ...causalRequest(options, checkpoint.config),
      };
      const answer = await namedQuestion(question, checkpoint, io);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      if (options.attribution) {
        const { steps, check = 0 } = options;
        const points = options.points ?? (options.point === undefined ? undefined : [options.point]);
        const attributed = { ...request, points, steps, metric: metric as AttributionMetric };
        const budget = attributionBudget(model, attributed);
        announce(io, 'attribution patching', budget);
        const found = finish(checkedAttributionSteps(model, attributed, check), 'step', io);
        if (options.out) await writeTensors(options.out, attributionTensors(found), provenance);
        if (options.json)
          return printJson(io, {
            ...about(provenance),
            ...answer,
            ...attributionJson(found),
            memory_bytes: budget.bytes,
          });
        for (const { text } of found.cautions) io.err(`warning: ${text}\n`);
        return io.out(estimates(found));
      }
      const budget = patchBudget(model, request);
      announce(io, `patching ${point}`, budget);
      const grid = finish(patchSteps(model, request), 'block', io);
      if (options.out) await writeTensors(options.out, patchTensors(grid), provenance);
      if (options.json)
        return printJson(io, {
          ...about(provenance),
          ...answer,
          point,
          ...patchJson(grid),
          memory_bytes: budget.bytes,
        });
      for (const { text, ...warning } of grid.cautions)
        if (warning.metric === undefined || warning.metric === metric) io.err(`warning: ${text}\n`);
      const of = grid.metrics[metric] as Patched;
      io.out(
        `clean ${of.clean.toFixed(4)}, corrupted ${of.corrupted.toFixed(4)} (${metric}), ${direction}\n${readable(grid, of)}`,
      );
    });
}

/** @throws InputError for options that only the other way of patching has. */
function requireOptions(options: PatchOptions, metric: PatchMetric): void {
  const { attribution, mixer, channels, heads, points, steps, check } = options;
  const given = (named: Readonly<Record<string, unknown>>) =>
    Object.entries(named).find(([, value]) => value !== undefined)?.[0];
  if (!attribution) {
    const stray = given({ points, steps, check });
    if (stray) throw new InputError(`--${stray} is of an attribution: give --attribution too, or leave it out.`);
    return;
  }
  const stray = given({ mixer, channels, heads });
  if (stray)
    throw new InputError(
      `An attribution takes whole points: leave --${stray} out, or name mixer_1, mixer_2 as --points.`,
    );
  if (!ATTRIBUTION_METRICS.some((name) => name === metric))
    throw new InputError(
      `${metric} has no slope to follow: take ${ATTRIBUTION_METRICS.join(', ')} with --attribution.`,
    );
}

/** The strongest estimates of every kind of point, with what patching them does where that was checked. */
function estimates(found: CheckedAttribution): string {
  const { direction, metric, windows, layers, spans, classes, clean, corrupted, steps } = found;
  const parts = found.points.map((own) => {
    const agreement = found.agreement.find(({ point }) => point === own.point);
    const effects = attributedEffects(own, found);
    const cells = layers.flatMap((layer, row) =>
      spans.map((span, column) => {
        const at = row * spans.length + column;
        const checked = agreement?.cells.find((cell) => cell.layer === layer && cell.span === span);
        return {
          layer: layersName(windows[row]),
          tokens: classes?.[column].class ?? spanName(span),
          estimated: own.patched[at],
          effect: effects[at],
          ...(agreement && { exact: checked?.exact }),
        };
      }),
    );
    const known = cells.filter(({ effect }) => Number.isFinite(effect));
    const agrees = agreementText(agreement, 'patched');
    return `${own.point}${agrees}\n${table(strongest(known, ({ effect }) => effect))}`;
  });
  const over = steps > 1 ? `, gradients over ${steps} steps` : '';
  return `clean ${clean.toFixed(4)}, corrupted ${corrupted.toFixed(4)} (${metric}), ${direction}, estimated by attribution${over}\n${parts.join('\n')}`;
}

function alignment(text: string): AlignedSpans[] {
  return text.split(',').map((pair) => {
    const [clean, corrupted, ...more] = pair.split('=').map((span) => spansOf('--align')(span)[0]);
    if (corrupted && more.length === 0) return { clean, corrupted };
    throw new InputError(`--align takes pairs of spans such as 0:4=1:5, not "${pair}".`);
  });
}

async function promptsOf(options: PatchOptions, checkpoint: Checkpoint): Promise<number[][]> {
  const { corrupted, prompt, tokens } = options;
  if (tokens !== undefined) {
    const rows = await readTokens(options, checkpoint);
    if (corrupted === undefined && rows.length === 2) return rows;
    throw new InputError('--tokens must hold two rows, the clean prompt and the corrupted one, without --corrupted.');
  }
  if (prompt === undefined || corrupted === undefined)
    throw new InputError(
      'Give the clean prompt as --prompt and the corrupted one as --corrupted, or both as --tokens.',
    );
  const [clean] = await readTokens(options, checkpoint);
  const [other] = await readTokens({ ...options, prompt: corrupted }, checkpoint);
  return [clean, other];
}

function readable({ direction, windows, spans, classes }: PatchGrid, of: Patched): string {
  const [patched, effect] = [of.patched, effectsOf(of, direction)];
  const cells = windows.flatMap((window, row) =>
    spans.map((span, column) => {
      const at = row * spans.length + column;
      const tokens = classes?.[column].class ?? spanName(span);
      return { layer: layersName(window), tokens, patched: patched[at], effect: effect[at] };
    }),
  );
  return table(strongest(cells, ({ effect }) => effect));
}
