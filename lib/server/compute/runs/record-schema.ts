import { z } from 'zod';
import type { S6Inputs } from '@/lib/analysis/s6Inputs';
import { RunModelSchema } from '@/lib/api/schemas';
import { ALL_KINDS, DIFFERENTIAL_KINDS, HYBRID_KINDS, PLAIN_KINDS } from '@/lib/architectures/kinds';
import { CHECKPOINT_FORMATS, isDifferential } from '@/lib/checkpoint/types';
import { LENS_STATISTICS, type LensStatistic, SCANS } from '@/lib/vocabulary';
import type { ModelRecord } from './record';

/** What the file of one model of a run must hold, and that its parts agree. */

const size = z.number().int().nonnegative();
const floats = z.instanceof(Float32Array);
/** Also one that JSON cannot hold. */
const real = z.custom<number>((value) => typeof value === 'number', 'not a number');

const MixerSchema = z.object({
  d: size,
  E: size,
  N: size,
  K: size,
  R: size,
  H: size,
  P: size,
  G: size,
  timeStepLimit: z.tuple([real, real]),
  useBias: z.boolean(),
  useConvBias: z.boolean(),
  epsilon: real,
  useOutBias: z.boolean().optional(),
  variant: z
    .object({
      input: real,
      parts: z.tuple([real, real, real, real, real]),
      norm: z.enum(['after_gate', 'before_gate', 'none']),
    })
    .optional(),
});

const AttentionSchema = z.object({
  H: size,
  KV: size,
  D: size,
  scale: real,
  rope: z.object({ theta: real, width: size }).optional(),
  useBias: z.boolean(),
  input: real,
  keys: real,
});

const BlockSchema = z.union([
  z.object({ kind: z.enum(PLAIN_KINDS), mixer: MixerSchema }),
  z.object({
    kind: z.enum(DIFFERENTIAL_KINDS),
    mixer: MixerSchema,
    lambda: z.union([
      z.enum(['sigmoid_sum', 'sigmoid_scalar', 'sigmoid_channel', 'exp']),
      z.object({ constant: z.number() }),
    ]),
    lambdaInit: z.number(),
    subln: z.boolean(),
  }),
  z.object({
    kind: z.enum(HYBRID_KINDS),
    mixer: MixerSchema,
    attention: AttentionSchema.optional(),
    mlp: z.object({ width: size, useBias: z.boolean(), gate: real, output: real }).optional(),
    epsilon: real,
    scales: z.object({ mamba: real, attention: real, mlp: real }),
  }),
]);

const arrays = { delta: floats, A: floats, B: floats, C: floats, x: floats, y: floats, x0: floats, z: floats };
const ScanSchema = z.discriminatedUnion('family', [
  z.object({ family: z.literal('mamba1'), L: size, E: size, N: size, ...arrays }),
  z.object({ family: z.literal('mamba2'), L: size, E: size, N: size, H: size, P: size, G: size, ...arrays }),
]);

const CacheSchema = z.object({
  index: size,
  kind: z.enum(ALL_KINDS),
  scans: z.map(z.enum(SCANS), ScanSchema),
  attention: z
    .object({ L: size, H: size, KV: size, D: size, scale: real, q: floats, k: floats, v: floats, z: floats })
    .optional(),
  lambda: z.union([real, floats]).optional(),
  out: floats,
  diff: floats.optional(),
});

const PartSchema = z.object({ sources: floats, free: floats.optional() });

const ElsewhereSchema = z.object({
  by: z.string().max(1000),
  lens: z.object({
    target: size,
    candidates: z.array(size).max(1000),
    topIds: z.instanceof(Int32Array),
    topProbabilities: floats,
    statistics: z.object(
      Object.fromEntries(LENS_STATISTICS.map((name) => [name, floats])) as Record<LensStatistic, typeof floats>,
    ),
  }),
  reads: z.object({
    position: size,
    directions: z.map(size, floats),
    blocks: z.array(z.object({ first: PartSchema, second: PartSchema.optional() })),
  }),
});

const RecordSchema: z.ZodType<ModelRecord> = z.object({
  request: RunModelSchema,
  config: z
    .object({
      format: z.enum(CHECKPOINT_FORMATS),
      d: size,
      V: size,
      epsilon: real,
      tied: z.boolean(),
      scales: z.object({ embedding: real, logits: real }).optional(),
      blocks: z.array(BlockSchema),
      // Absent in files from before padding was told apart.
      vocabulary: size.optional(),
    })
    .transform((config) => ({ ...config, vocabulary: config.vocabulary ?? config.V })),
  fingerprint: z.string(),
  L: size,
  residuals: z.array(floats),
  blocks: z.array(CacheSchema),
  elsewhere: ElsewhereSchema.optional(),
});

/** Numbers that a scan's arrays hold, by name. */
function sizesOf(scan: S6Inputs): Record<keyof typeof arrays, number> {
  const { L, E, N } = scan;
  const channels = { x: L * E, y: L * E, x0: L * E, z: L * E };
  if (scan.family === 'mamba1') return { delta: L * E, A: E * N, B: L * N, C: L * N, ...channels };
  const { H, G } = scan;
  return { delta: L * H, A: H, B: L * G * N, C: L * G * N, ...channels };
}

/** The same of what a run from elsewhere brings along. */
function elsewhereContradiction({ request, config, L, blocks, elsewhere }: ModelRecord): string | undefined {
  if (!elsewhere) return undefined;
  const { d } = config;
  const { lens, reads } = elsewhere;
  if (blocks.length !== config.blocks.length) return `${blocks.length} blocks of ${config.blocks.length}`;
  const tokens = [lens.target, ...lens.candidates, ...reads.directions.keys(), ...lens.topIds];
  const stray = tokens.find((id) => id < 0 || id >= config.vocabulary);
  if (stray !== undefined) return `token ${stray}, but a vocabulary of ${config.vocabulary}`;
  if (lens.target !== request.target.id) return `a lens of token ${lens.target}, not of ${request.target.id}`;
  const cells = (blocks.length + 2) * L;
  const short = LENS_STATISTICS.find((name) => lens.statistics[name].length !== cells);
  if (short) return `elsewhere.lens.${short} has ${lens.statistics[short].length} values, not ${cells}`;
  if (lens.topIds.length % cells !== 0 || lens.topProbabilities.length !== lens.topIds.length)
    return `${lens.topIds.length} strongest tokens with ${lens.topProbabilities.length} probabilities in ${cells} places`;
  if (reads.position >= L) return `reads at token ${reads.position} of ${L}`;
  if (reads.blocks.length !== blocks.length) return `reads of ${reads.blocks.length} blocks of ${blocks.length}`;
  const odd = [...reads.directions].find(([, { length }]) => length !== d);
  if (odd) return `the direction of token ${odd[0]} has ${odd[1].length} values, not ${d}`;
  for (const [i, { first, second }] of reads.blocks.entries()) {
    if (isDifferential(config.blocks[i]) !== (second !== undefined)) return `reads of block ${i} of another kind`;
    for (const { sources, free } of second ? [first, second] : [first])
      if (sources.length !== (reads.position + 1) * d || (free && free.length !== d))
        return `elsewhere.reads.blocks.${i} has other sizes than its block`;
  }
  return undefined;
}

/** The first thing in which parts of a record contradict each other; undefined where they agree. */
function contradiction({ request, config, L, residuals, blocks }: ModelRecord): string | undefined {
  const { d } = config;
  if (request.tokens.length !== L) return `${request.tokens.length} tokens, but L = ${L}`;
  if (blocks.length > config.blocks.length) return `${blocks.length} blocks of ${config.blocks.length}`;
  if (residuals.length !== blocks.length + 1 && residuals.length + blocks.length > 0)
    return `${residuals.length} residual streams of ${blocks.length} blocks`;
  const odd = residuals.findIndex(({ length }) => length !== L * d);
  if (odd >= 0) return `residuals.${odd} has ${residuals[odd].length} values, not ${L} × ${d}`;
  for (const [i, block] of blocks.entries()) {
    const { kind, mixer } = config.blocks[i];
    if (block.index !== i || block.kind !== kind) return `block ${i} is ${block.kind}, not ${kind}`;
    if (block.out.length !== L * d) return `blocks.${i}.out has ${block.out.length} values, not ${L} × ${d}`;
    const { attention } = block;
    if (attention) {
      const where = `blocks.${i}.attention`;
      if (attention.L !== L) return `${where} has ${attention.L} tokens, not ${L}`;
      const { H, KV, D } = attention;
      const expected = { q: H, k: KV, v: KV, z: H } as const;
      for (const array of ['q', 'k', 'v', 'z'] as const)
        if (attention[array].length !== L * expected[array] * D)
          return `${where}.${array} has ${attention[array].length} values, not ${L * expected[array] * D}`;
    }
    for (const [name, scan] of block.scans) {
      const where = `blocks.${i}.scans.${name}`;
      if (scan.L !== L || scan.E !== mixer.E || scan.N !== mixer.N) return `${where} has other sizes than its block`;
      for (const [array, expected] of Object.entries(sizesOf(scan))) {
        const { length } = scan[array as keyof typeof arrays];
        if (length !== expected) return `${where}.${array} has ${length} values, not ${expected}`;
      }
    }
  }
  return undefined;
}

/** @throws Error whose message ends a sentence, full stop included, where a record is damaged or contradicts itself. */
export function checkRecord(record: unknown): ModelRecord {
  const parsed = RecordSchema.safeParse(record);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`it is damaged (${issue.path.map(String).join('.')}: ${issue.message}).`);
  }
  const found = contradiction(parsed.data) ?? elsewhereContradiction(parsed.data);
  if (found) throw new Error(`it contradicts itself (${found}).`);
  return parsed.data;
}
