import { z } from 'zod';
import { InputError } from '@/lib/input-error';
import { babilongSource, babilongSourceSchema } from './babilong-source';
import { idsSource, idsSourceSchema } from './ids-source';
import { madSource, madSourceSchema } from './mad-source';
import { mqarSource, mqarSourceSchema } from './mqar';
import { retrievalSource, retrievalSourceSchema } from './retrieval-source';
import type { DataSource } from './source';
import { storiesSchema, storiesSource } from './stories';
import { textSource, textSourceSchema } from './text-source';

/** A kind of source: what it takes, and how one is made of it. */
interface SourceKind<S extends z.ZodObject> {
  readonly schema: S;
  /** @throws InputError where files cannot be read or do not fit what is asked of them */
  readonly create: (options: z.infer<S>) => DataSource | Promise<DataSource>;
}

const kind = <S extends z.ZodObject>(schema: S, create: SourceKind<S>['create']): SourceKind<S> => ({ schema, create });

/** Every kind of data by name; training, evaluation and experiments know them from here. */
export const SOURCES = {
  retrieval: kind(retrievalSourceSchema, retrievalSource),
  mqar: kind(mqarSourceSchema, mqarSource),
  mad: kind(madSourceSchema, madSource),
  stories: kind(storiesSchema, storiesSource),
  babilong: kind(babilongSourceSchema, babilongSource),
  text: kind(textSourceSchema, textSource),
  ids: kind(idsSourceSchema, idsSource),
} as const;

export type SourceName = keyof typeof SOURCES;

export const SOURCE_NAMES = Object.keys(SOURCES) as SourceName[];

/** What names a source in a configuration: its kind, and the fields of that kind. */
export const sourceSchema = z
  .looseObject({ source: z.enum(SOURCE_NAMES) })
  .transform(({ source, ...fields }, context): SourceConfig => {
    const parsed = SOURCES[source].schema.safeParse(fields);
    if (parsed.success) return { source, ...parsed.data };
    for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  });

/** A source with all its fields; JSON that {@link sourceSchema} takes as it is. */
export type SourceConfig = { readonly source: SourceName } & Readonly<Record<string, unknown>>;

/** @throws InputError as the constructor of the kind does, or where the fields are not of the kind */
export async function openSource(config: unknown): Promise<DataSource> {
  const parsed = sourceSchema.safeParse(config);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new InputError(`The data cannot be used: ${path.length > 0 ? `field ${path.join('.')}: ` : ''}${message}.`);
  }
  const { source, ...fields } = parsed.data;
  const { create } = SOURCES[source] as SourceKind<z.ZodObject>;
  return create(fields);
}
