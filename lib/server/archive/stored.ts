import { z } from 'zod';
import { type Analysis, AnalysisSchema } from '@/lib/api/causal';
import { type Run, RunSchema, type RunSummary, RunSummarySchema } from '@/lib/api/schemas';
import { ServiceError } from '../errors';
import { withMargins, withoutDirections, withoutNorms } from './older-results';

/** What is kept as JSON, in rows of the database and in files beside the arrays. */
interface Stored {
  run: Run;
  summary: RunSummary;
  analysis: Analysis;
}
type Kind = keyof Stored;

const SCHEMAS: { readonly [K in Kind]: z.ZodType<Stored[K]> } = {
  run: RunSchema,
  summary: RunSummarySchema,
  analysis: AnalysisSchema,
};

/** Brings what one format holds of a kind to the next one. */
interface Step {
  /** The format that it makes; those before it lack what it adds. */
  readonly to: number;
  readonly kind: Kind;
  readonly change: (value: Record<string, unknown>) => Record<string, unknown>;
}

/**
 * All that has changed in what is stored, oldest first. Format 1 wrote a value bare, without its format, and before
 * analyses were kept a run had no list of them.
 */
const STEPS: readonly Step[] = [
  { to: 2, kind: 'run', change: (run) => ({ analyses: [], ...run }) },
  { to: 3, kind: 'analysis', change: withoutNorms },
  { to: 4, kind: 'analysis', change: withMargins },
  { to: 5, kind: 'analysis', change: withoutDirections },
];

/** Of what is written now. */
const FORMAT = Math.max(...STEPS.map(({ to }) => to));

const EnvelopeSchema = z.object({ format: z.number().int() }).loose();

/** What is stored of a value: `more` stands beside it. */
export function toStored<K extends Kind>(kind: K, value: Stored[K], more: Record<string, unknown> = {}): string {
  return JSON.stringify({ format: FORMAT, [kind]: value, ...more });
}

/** A fault of what is stored, in words that end a sentence. */
export class UnreadableError extends Error {}

/** Whether one thing in the store is at fault, and not the store. */
export const isUnreadable = (error: unknown): error is Error =>
  error instanceof UnreadableError || (error instanceof ServiceError && error.status === 409);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UnreadableError('it is not JSON');
  }
}

/**
 * Checks what was stored, of this format or an older one.
 * @throws UnreadableError where it is damaged or of a newer format.
 */
export function fromStored<K extends Kind>(kind: K, text: string): Stored[K] {
  const json = parse(text);
  const envelope = EnvelopeSchema.safeParse(json);
  const { format, value } = envelope.success
    ? { format: envelope.data.format, value: envelope.data[kind] }
    : { format: 1, value: json };
  if (format > FORMAT)
    throw new UnreadableError(`it is of format ${format}, and this version reads those up to ${FORMAT}`);
  if (typeof value !== 'object' || value === null) throw new UnreadableError(`it holds no ${kind}`);
  const steps = STEPS.filter((step) => step.kind === kind && step.to > format);
  const current = steps.reduce((before, { change }) => change(before), value as Record<string, unknown>);
  const parsed = SCHEMAS[kind].safeParse(current);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UnreadableError(`${[kind, ...issue.path].join('.')}: ${issue.message}`);
}

/** What stands beside a stored value. @throws UnreadableError */
export function besideStored<T>(text: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parse(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UnreadableError(`${issue.path.join('.')}: ${issue.message}`);
}
