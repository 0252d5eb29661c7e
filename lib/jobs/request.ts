import { z } from 'zod';
import { layersOf, requireCausal } from '@/lib/analysis';
import { defaultRoots, loadCheckpoint } from '@/lib/checkpoint';
import { openCheckpoint } from '@/lib/checkpoint/load';
import { exampleText } from '@/lib/data/example-source';
import { pairOf, snrLines, withoutNeedle } from '@/lib/data/snr-examples';
import type { EvaluationName } from '@/lib/evaluation';
import { fetchModel } from '@/lib/hub';
import { InputError } from '@/lib/input-error';
import { defaultWeightFormat } from '@/lib/models';
import { readable } from '@/lib/readable';
import { loadTokenizer } from '@/lib/tokenizer';
import { RESAMPLES, WEIGHT_CHOICES } from '@/lib/vocabulary';
import { SWEEP_OPTIONS } from '@/lib/vocabulary/sweep-options';
import type { SweptModel, SweptSource } from './bench';
import { fingerprintOf } from './fingerprint';
import { KINDS, type RequestOf } from './kinds';
import { isCausal, needsNeedle, taskOf } from './kinds/causal';
import { evaluationOf } from './kinds/evaluation';

/** A model by its name or folder. @param root holds `models/` @throws InputError where it is not there. */
export async function sweptModel(name: string, root: string): Promise<SweptModel> {
  const { path } = await fetchModel(name, { roots: defaultRoots(root) });
  return { name, fingerprint: await fingerprintOf(path) };
}

/** Prompts as `--examples` names them. @throws InputError */
export async function sweptSource(examples: string, seed: number): Promise<SweptSource> {
  const { text } = await exampleText(examples, seed);
  return { name: examples, lines: text.split('\n').filter((line) => line.trim() !== '') };
}

/** An evaluation by name, over arms of models. @throws InputError where a model is not there or cannot be asked this */
export async function evaluationRequest(
  evaluation: EvaluationName,
  given: Readonly<Record<string, unknown>>,
  arms: readonly { readonly label: string; readonly models: readonly string[] }[],
  root: string,
): Promise<Pick<RequestOf<'eval'>, 'evaluation' | 'settings' | 'arms'>> {
  const settings = { ...given };
  const made = await evaluationOf({ evaluation, settings });
  const seedOf = async (name: string) => {
    const { path } = await fetchModel(name, { roots: defaultRoots(root) });
    const { config, tokenizerPath, name: found } = await readable(await loadCheckpoint(path), root);
    const tokenizer = tokenizerPath ? await loadTokenizer(tokenizerPath) : undefined;
    const items = made.items({ name: found, vocabulary: config.vocabulary, tokenizer, tokenizerPath }).length;
    return { model: { name, fingerprint: await fingerprintOf(path) }, items };
  };
  const counted: RequestOf<'eval'>['arms'] = [];
  for (const { label, models } of arms) {
    const seeds: (typeof counted)[number]['seeds'] = [];
    for (const name of models) seeds.push(await seedOf(name));
    counted.push({ label, seeds });
  }
  return { evaluation, settings, arms: counted };
}

const common = {
  /** Names or folders, training seeds of one joined by +. */
  models: z.array(z.string().min(1)).min(1),
  /** Files of examples, or what else `--examples` takes: one a length or task. */
  examples: z.array(z.string().min(1)).min(1),
  weights: z.enum(WEIGHT_CHOICES).optional(),
  resamples: z.number().int().positive().default(RESAMPLES),
  seed: z.number().int().nonnegative().default(42),
};

/** A sweep as its file says it. */
const fileSchema = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('snr'),
      ...common,
      ...SWEEP_OPTIONS.snr,
      tuned: z.record(z.string(), z.string()).optional(),
    })
    .strict(),
  z.object({ kind: z.literal('allocation'), ...common, ...SWEEP_OPTIONS.allocation }).strict(),
  z.object({ kind: z.literal('patch'), ...common, ...SWEEP_OPTIONS.patch }).strict(),
  z.object({ kind: z.literal('knockout'), ...common, ...SWEEP_OPTIONS.knockout }).strict(),
  z.object({ kind: z.literal('ablate'), ...common, ...SWEEP_OPTIONS.ablate }).strict(),
]);

type PromptKind = z.output<typeof fileSchema>['kind'];
/** A request of a kind whose items are prompts of models. */
export type PromptSweep = { [K in PromptKind]: { readonly kind: K; readonly request: RequestOf<K> } }[PromptKind];

/**
 * Reads everything that a sweep's file names, so that workers need the models only, and checks what can be known before an item is
 * computed.
 * @throws InputError
 */
export async function requestOfFile(value: unknown, root: string): Promise<PromptSweep> {
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new InputError(`The sweep is not one: ${[path.join('.'), message].filter(Boolean).join(': ')}.`);
  }
  const { kind, models, examples, weights = defaultWeightFormat(), ...rest } = parsed.data;
  const groups: SweptModel[][] = [];
  for (const group of models) groups.push(await Promise.all(group.split('+').map((name) => sweptModel(name, root))));
  const sources = await Promise.all(examples.map((one) => sweptSource(one, rest.seed)));
  const asked = { kind, request: { models: groups, sources, weights, ...rest } } as PromptSweep;
  await requireSweep(asked, root);
  return asked;
}

/**
 * What can be known of a sweep before any of its items is computed: that its prompts are examples fit for the test, and that its options fit
 * every model.
 * @throws InputError
 */
export async function requireSweep({ kind, request }: PromptSweep, root: string): Promise<void> {
  const checked = KINDS[kind].schema.safeParse(request);
  if (!checked.success) {
    const [{ path, message }] = checked.error.issues;
    throw new InputError(`The sweep cannot be: ${[path.join('.'), message].filter(Boolean).join(': ')}.`);
  }
  for (const { name, lines } of request.sources) {
    const read = snrLines(lines.join('\n'), name);
    for (const [k, line] of read.entries()) {
      if (needsNeedle(kind, request) && !line.line.needle) throw withoutNeedle(k, name);
      if (kind === 'patch' && line.line.corrupted === undefined) pairOf(line);
    }
  }
  for (const { name } of request.models.flat()) {
    const { path, name: found } = await fetchModel(name, { roots: defaultRoots(root) });
    const { config, close } = await openCheckpoint(path);
    await close();
    const outline = { config, name: found };
    if (kind === 'allocation') layersOf(outline, request.layers);
    if (isCausal(kind)) requireCausal(outline, taskOf(kind, request as never));
  }
}
