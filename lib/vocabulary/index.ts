/**
 * Names that several rooms share: plain constants without an import, so that kernels, analyses, the server's schemas
 * and the page say the same words. What an architecture is called stands with the architecture.
 */

/** The mixers of a differential block whose branches are scans of their own. */
export const MIXERS = ['mixer_1', 'mixer_2'] as const;
export type Mixer = (typeof MIXERS)[number];

/** Scans of a block: the one of a plain block, or both mixers. */
export const SCANS = ['single', ...MIXERS] as const;

/** Maps of a differential block with two scans: mixer 1, mixer 2, λ·mixer 2, and their difference. */
export const DIFFERENTIAL_BRANCHES = [...MIXERS, 'lambda_mixer_2', 'diff'] as const;

/** Maps of a block in which a scan and attention stand side by side, each by itself. */
export const PARALLEL_BRANCHES = ['attention', 'mamba'] as const;

/** Maps of a block: `single` for all of one that is no difference, or those of its parts. */
export const BRANCHES = ['single', ...PARALLEL_BRANCHES, ...DIFFERENTIAL_BRANCHES] as const;
export type Branch = (typeof BRANCHES)[number];

/** The terms of the subtraction: minuend, subtrahend, difference. */
export const DIFFERENCE_TERMS = ['mixer_1', 'lambda_mixer_2', 'diff'] as const satisfies readonly Branch[];
export type DifferenceTerm = (typeof DIFFERENCE_TERMS)[number];

/** What activation patching is offered for: hook points of a block (docs/hooks.md) and what decoding remembers of it. */
export const PATCH_POINTS = ['hook_resid_pre', 'hook_out_proj', 'hook_y', 'hook_h', 'ssm', 'conv'] as const;
export type PatchPoint = (typeof PATCH_POINTS)[number];

/**
 * What a map shows: the scan alone, the weights of softmax attention, the whole block, contributions to a logit, or the size of
 * what is added.
 */
export const FORMS = ['s6', 'softmax', 'block', 'logit', 'norm'] as const;
export type Form = (typeof FORMS)[number];

/** Parts of the form `block` that can be left out. */
export const BLOCK_COMPONENTS = ['conv', 'activation', 'gate', 'norm', 'D'] as const;
export type BlockComponent = (typeof BLOCK_COMPONENTS)[number];

/** What a scan's units are: channels of Mamba-1 kinds, heads of Mamba-2 kinds. */
export const UNITS = ['channel', 'head'] as const;
export type Unit = (typeof UNITS)[number];

/** Statistics of channels and heads. */
export const CHANNEL_STATISTICS = [
  'half_life',
  'entropy',
  'sink',
  'locality',
  'distance',
  'max',
  'output_share',
] as const;
export type ChannelStatistic = (typeof CHANNEL_STATISTICS)[number];

/** What each token does in a scan. */
export const TOKEN_TRACKS = ['delta', 'decay', 'half_life', 'gate', 'state_norm'] as const;
export type TokenTrack = (typeof TOKEN_TRACKS)[number];

/** Statistics of a lens, one number for each entry and position. */
export const LENS_STATISTICS = [
  'target_prob',
  'target_logprob',
  'target_rank',
  'target_log_odds',
  'margin',
  'margin_std',
  'entropy',
  'kl_final_lens',
  'kl_lens_final',
  'snr_vocab',
  'snr_candidates',
] as const;
export type LensStatistic = (typeof LENS_STATISTICS)[number];

/**
 * Curves of the signal, one number for each entry: lens statistics that say how strongly the target stands out, and the
 * share of the context that is read from the needle.
 */
export const SIGNAL_METRICS = [
  'target_prob',
  'target_logprob',
  'target_log_odds',
  'margin',
  'margin_std',
  'snr_vocab',
  'snr_candidates',
  'needle_against_context',
] as const;
export type SignalMetric = (typeof SIGNAL_METRICS)[number];

/** What metrics were called in the version before; taken in requests and options of this one, which then say so. */
export const FORMER_METRICS = { log_odds: 'margin', attention_snr: 'needle_against_context' } as const satisfies Record<
  string,
  SignalMetric
>;
export const METRIC_NAMES = [...SIGNAL_METRICS, ...(Object.keys(FORMER_METRICS) as (keyof typeof FORMER_METRICS)[])];
export type MetricName = (typeof METRIC_NAMES)[number];

const isFormer = (name: MetricName): name is keyof typeof FORMER_METRICS => name in FORMER_METRICS;

export const currentMetric = (name: MetricName): SignalMetric => (isFormer(name) ? FORMER_METRICS[name] : name);

/** What is said to who uses former names. */
export const formerNames = (names: readonly MetricName[]): string[] =>
  names
    .filter(isFormer)
    .map((name) =>
      name === 'log_odds'
        ? `"${name}" is called "${FORMER_METRICS[name]}" now, and the next version takes this name only; log-odds ln p/(1 − p) are "target_log_odds".`
        : `"${name}" is answered by "${FORMER_METRICS[name]}", which is exact where it was not, and the next version takes this name only; the share of α is in the page's inspector of maps.`,
    );

/** Logits of two models have no common unit: what is measured in them is not subtracted from one another. */
export const UNSCALED_METRICS: readonly SignalMetric[] = ['margin'];

/** What matrices can be made into: as they are, or rounded to eight bits of mantissa. */
export const WEIGHT_FORMATS = ['float32', 'bf16'] as const;

/** What a model keeps the matrices in that it multiplies by: fp16 where the file has them so. */
export const KEPT_FORMATS = [...WEIGHT_FORMATS, 'fp16'] as const;
export type WeightFormat = (typeof KEPT_FORMATS)[number];

/** What can be asked for: as the file has them where the device computes as fast from that, or one of the formats. */
export const WEIGHT_CHOICES = ['file', ...WEIGHT_FORMATS] as const;
export type WeightChoice = (typeof WEIGHT_CHOICES)[number];

/**
 * What a source token is to a question, the first that applies: the read-out token; the span that decides the answer; one that
 * names another answer; the question and what stands between it and the read-out; token 0; everything else.
 */
export const TOKEN_CLASSES = ['self', 'needle', 'competing', 'question', 'first', 'filler'] as const;
export type TokenClass = (typeof TOKEN_CLASSES)[number];

/** What the story says, as opposed to the question and the read-out token, which every model has to read. */
export const CONTEXT_CLASSES = ['needle', 'competing', 'first', 'filler'] as const satisfies readonly TokenClass[];

/** Which tokens are what, as spans [start, end) of tokens; what is in none is filler. */
export interface ClassSpans {
  readonly needle?: readonly [start: number, end: number];
  readonly competing?: readonly (readonly [start: number, end: number])[];
  readonly question?: readonly (readonly [start: number, end: number])[];
}

/**
 * The class of every source token j ≤ i, the first that applies: self, needle, competing, question, first, filler. What stands
 * between a question and the read-out token is how it is asked, and counts with it.
 * @param L tokens up to and including the read-out token i = L − 1
 */
export function tokenClasses(L: number, { needle, competing = [], question = [] }: ClassSpans): TokenClass[] {
  const inside = (j: number, spans: ClassSpans['competing'] = []) =>
    spans.some(([start, end]) => j >= start && j < end);
  const asked = question.length > 0 ? Math.max(...question.map(([, end]) => end)) : L;
  return Array.from({ length: L }, (_, j) => {
    if (j === L - 1) return 'self';
    if (needle && inside(j, [needle])) return 'needle';
    if (inside(j, competing)) return 'competing';
    if (inside(j, question) || j >= asked) return 'question';
    return j === 0 ? 'first' : 'filler';
  });
}

/** What carries into what when activations are patched: clean into corrupted, or corrupted into clean. */
export const PATCH_DIRECTIONS = ['denoise', 'noise'] as const;
export type PatchDirection = (typeof PATCH_DIRECTIONS)[number];

/** Measures of a patched run: logits, nats, shares, and ranks from 0; `kl` is KL(clean ‖ patched). */
export const PATCH_METRICS = [
  'logit_difference',
  'target_logit',
  'margin',
  'target_prob',
  'target_logprob',
  'target_rank',
  'kl',
] as const;
export type PatchMetric = (typeof PATCH_METRICS)[number];

/** Measures that have a slope in the logits: those that attribution patching follows. */
export const ATTRIBUTION_METRICS = [
  'logit_difference',
  'target_logit',
  'margin',
  'target_prob',
  'target_logprob',
  'kl',
] as const satisfies readonly PatchMetric[];
export type AttributionMetric = (typeof ATTRIBUTION_METRICS)[number];

/** Kinds of points that attribution patching tells by itself; `mixer_1`, `mixer_2` are what a branch brings to the subtraction. */
export const ATTRIBUTION_POINTS = ['hook_resid_pre', 'hook_out_proj', 'mixer_1', 'mixer_2', 'hook_h'] as const;

/** Clean and corrupted must be so far apart in a measure for an effect, which is divided by that distance, to say anything. */
export const LEAST_GAPS: Readonly<Record<PatchMetric, number>> = {
  logit_difference: 0.5,
  target_logit: 0.5,
  margin: 0.5,
  target_prob: 0.05,
  target_logprob: 0.5,
  target_rank: 1,
  kl: 0.05,
};

/**
 * The share of the way from the run that receives to the run that gives: (patched − corrupted) / (clean − corrupted) for
 * `denoise`, (patched − clean) / (corrupted − clean) for `noise`. 0 changes nothing, 1 makes it the other run; NaN where the
 * two measure the same.
 */
export function patchEffect(
  patched: number,
  { clean, corrupted }: { readonly clean: number; readonly corrupted: number },
  direction: PatchDirection,
): number {
  const [from, to] = direction === 'denoise' ? [corrupted, clean] : [clean, corrupted];
  return from === to ? Number.NaN : (patched - from) / (to - from);
}

/** The prompt of the paper's lens script (equations D): note the space after `<context>` and none at the end. */
export const paperPrompt = (context: string, question: string): string =>
  `<context> \n${context}\n</context>\n\nQuestion: ${question} Answer:`;

interface PromptParts {
  readonly prompt?: string;
  readonly tokens?: readonly number[];
  readonly context?: string;
  readonly question?: string;
}

/** The text of an example's prompt; undefined where it gives tokens. */
export const examplePrompt = ({ prompt, tokens, context = '', question = '' }: PromptParts): string | undefined =>
  prompt ?? (tokens ? undefined : paperPrompt(context, question));

/** What is said of fields that no example has: the `error` of a strict zod object, which words everything else itself. */
export const noSuchField = ({ code, keys = [] }: { readonly code?: string; readonly keys?: readonly string[] }) =>
  code === 'unrecognized_keys'
    ? `examples have no field ${keys.map((key) => JSON.stringify(key)).join(', ')}: leave it out, or correct its name`
    : undefined;

/** What intervals of a batch cover. Where each model is one training run, they say nothing of another run. */
export const INTERVALS_OVER = ['prompts', 'training seeds and prompts'] as const;
export interface Intervals {
  readonly level: number;
  readonly over: (typeof INTERVALS_OVER)[number];
}

/** @param seeds training seeds of each model that has a part in them: all must have several for seeds to be covered */
export const intervalsOf = (seeds: readonly number[]): Intervals => ({
  level: 0.95,
  over: seeds.every((count) => count > 1) ? 'training seeds and prompts' : 'prompts',
});

export const intervalsText = ({ level, over }: Intervals): string =>
  `${100 * level} % bootstrap intervals over ${over}${over === 'prompts' ? ', not over training seeds' : ''}`;

/** Resamples of a bootstrap. */
export const RESAMPLES = 2000;
/** The least two-sided p-value that so many resamples can give. */
export const LEAST_P = 2 / (RESAMPLES + 1);

export * from './competing';
export * from './durations';
export * from './faithfulness';
export * from './pair';
export * from './rollouts';
export * from './sentences';

/** Where the tokenizer of a model comes from: its folder, somebody's choice, or the bundled one in place of a missing one. */
export const TOKENIZER_SOURCES = ['model', 'chosen', 'fallback'] as const;
