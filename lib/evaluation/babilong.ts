import type { z } from 'zod';
import type { Resampling } from '@/lib/analysis';
import { endOfText } from '@/lib/data/token-chunks';
import { answerToken } from '@/lib/tokenizer';
import { continued } from './answers';
import { babilongSamples, type Sample, type Wanted } from './babilong-samples';
import { babilongSchema } from './babilong-schema';
import {
  type Arm,
  type Asked,
  checked,
  type Evaluation,
  type Figure,
  type Item,
  type Line,
  runsOf,
  tokenizerOf,
} from './evaluation';
import { depthFigure, type RatioCell, RULES, ratioFigure, scoreFigure } from './figures';
import { type Estimated, estimated, ratioOfMeans } from './intervals';
import { score } from './score';

export type BabilongSettings = z.input<typeof babilongSchema>;

type BabilongItem = Item & Wanted;

/** One answer. */
export interface BabilongLine extends Line {
  readonly task: string;
  readonly length: string | number;
  /** The shares of the length that were asked for; null for anywhere. */
  readonly depth: readonly [number, number] | null;
  readonly sample: number;
  /** Where the last deciding fact begins, as a share of the context; null where that is not known. */
  readonly fact_depth: number | null;
  /** Tokens of the prompt. */
  readonly tokens: number;
  readonly question: string;
  readonly target: string;
  /** The first token of the answer; null where the vocabulary lacks it. */
  readonly target_token: { readonly id: number; readonly text: string } | null;
  readonly output: string;
  readonly strict: boolean;
  readonly first: boolean;
}

interface Scores {
  readonly n: number;
  readonly strict: Estimated | null;
  readonly first: Estimated | null;
}

interface ModelScores {
  readonly label: string;
  readonly cells: readonly (Scores & { readonly task: string; readonly length: string | number })[];
  /** Over all tasks and lengths, by where the last deciding fact stands. */
  readonly by_depth: readonly (Scores & { readonly from: number; readonly to: number })[];
}

export interface BabilongResults {
  readonly models: readonly ModelScores[];
  /** Of the second model against the first, where there are two. */
  readonly ratios: { readonly strict: readonly RatioCell[]; readonly first: readonly RatioCell[] } | null;
}

/** Parts of the context that depths are told by where none are asked for. */
const DEPTHS = 5;

/**
 * Questions about facts that are hidden in long texts, by task, length and depth, scored by both rules.
 * @throws InputError where settings do not fit
 */
export async function babilongEvaluation(
  given: unknown,
): Promise<Evaluation<BabilongItem, BabilongLine, BabilongResults>> {
  const settings = checked(babilongSchema, given, 'babilong');
  const { tasks, lengths, depths, samples, batch } = settings;
  const samplesOf = babilongSamples(settings);
  const cells = tasks.flatMap((task) =>
    lengths.flatMap((length) => (depths ?? [null]).map((depth) => ({ task, length, depth }))),
  );
  const counts = await Promise.all(cells.map(({ task, length }) => samplesOf.count(task, length)));
  return {
    name: 'babilong',
    settings,
    items(reader) {
      tokenizerOf(reader);
      return cells.flatMap((cell, c) =>
        runsOf(Math.min(samples, counts[c]), batch).map(({ from, to }) => ({ lines: to - from, ...cell, from, to })),
      );
    },
    async evaluateItem(asked, item) {
      const found = await samplesOf.read(asked, item);
      return linesOf(asked, item, found, settings.max_new_tokens);
    },
    summarise: (arms, resampling) => summaryOf(arms, depths ?? null, resampling),
    figures,
  };
}

function linesOf(
  asked: Asked,
  { task, length, depth, from }: BabilongItem,
  samples: readonly Sample[],
  most: number,
): BabilongLine[] {
  const tokenizer = tokenizerOf(asked);
  const prompts = samples.map(({ prompt }) => tokenizer.encode(prompt).ids);
  const added = continued(asked.model, prompts, most, endOfText(tokenizer.vocabulary()));
  return samples.map(({ question, target, factDepth }, k) => {
    const output = tokenizer.decode(added[k], { skipSpecial: true }).trim();
    const first = answerToken(tokenizer, target);
    return {
      ...{ task, length, depth, sample: from + k, fact_depth: factDepth, tokens: prompts[k].length },
      ...{ question, target, target_token: first ? { id: first.id, text: first.text } : null, output },
      ...score({ task, target, output, question }),
    };
  });
}

function summaryOf(
  arms: readonly Arm<BabilongLine>[],
  depths: readonly (readonly [number, number])[] | null,
  resampling: () => Resampling,
): BabilongResults {
  const all = arms.flatMap(({ seeds }) => seeds.flatMap(({ lines }) => lines));
  const keys = [...new Map(all.map(({ task, length }) => [JSON.stringify([task, length]), { task, length }])).values()];
  const of = (arm: Arm<BabilongLine>, chosen: (line: BabilongLine) => boolean, rule: 'strict' | 'first') =>
    arm.seeds.map(({ lines }) => lines.filter(chosen).map((line) => Number(line[rule])));
  const scores = (arm: Arm<BabilongLine>, chosen: (line: BabilongLine) => boolean): Scores => {
    const strict = of(arm, chosen, 'strict');
    return {
      n: strict.flat().length,
      strict: estimated(strict, resampling()),
      first: estimated(of(arm, chosen, 'first'), resampling()),
    };
  };
  const inCell = (key: (typeof keys)[number]) => (line: BabilongLine) =>
    line.task === key.task && line.length === key.length;
  const bins = depths ?? Array.from({ length: DEPTHS }, (_, k) => [k / DEPTHS, (k + 1) / DEPTHS] as const);
  const inBin = ([from, to]: readonly [number, number]) =>
    depths
      ? (line: BabilongLine) => line.depth?.[0] === from && line.depth[1] === to
      : ({ fact_depth: at }: BabilongLine) => at !== null && at >= from && (at < to || (to === 1 && at === 1));
  const models = arms.map((arm) => ({
    label: arm.label,
    cells: keys.map((key) => ({ ...key, ...scores(arm, inCell(key)) })),
    by_depth: bins.map((bin) => ({ from: bin[0], to: bin[1], ...scores(arm, inBin(bin)) })).filter(({ n }) => n > 0),
  }));
  const ratios = (rule: 'strict' | 'first'): RatioCell[] =>
    keys.map((key) => ({
      ...key,
      ratio: ratioOfMeans(of(arms[1], inCell(key), rule), of(arms[0], inCell(key), rule), resampling()),
    }));
  return { models, ratios: arms.length === 2 ? { strict: ratios('strict'), first: ratios('first') } : null };
}

function figures({ models, ratios }: BabilongResults): Figure[] {
  const labels = models.map(({ label }) => label) as [string, string];
  return [
    ...RULES.map((rule) => ({ name: `accuracy-${rule.rule}`, svg: scoreFigure(models, rule) })),
    ...(ratios
      ? RULES.map((rule) => ({ name: `ratio-${rule.rule}`, svg: ratioFigure(labels, ratios[rule.rule], rule) }))
      : []),
    ...(models[0].by_depth.length > 0 ? [{ name: 'accuracy-by-depth', svg: depthFigure(models) }] : []),
  ];
}
