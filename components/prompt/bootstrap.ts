'use client';
import { useEffect } from 'react';
import type { Example, ModelSummary } from '@/lib/api/schemas';
import { useExamples, useModels } from '../data/queries';
import { loadExample } from '../state/edit';
import { useRun } from '../state/run';
import { INITIAL_SELECTION, type Selection, select, useSelection } from '../state/selection';

const differential = (model: ModelSummary) => model.differential.includes(true);

/** A plain model for A and a differential one for B, of equal depth and width where there is such a pair. */
export function defaultModels(models: readonly ModelSummary[]): Pick<Selection, 'modelA' | 'modelB'> {
  const usable = models.filter((model) => model.hasTokenizer);
  const pairs = usable
    .filter((model) => !differential(model))
    .flatMap((a) => usable.filter(differential).map((b) => ({ a, b })));
  const twins = pairs.find(
    ({ a, b }) =>
      a.layers.length === b.layers.length && a.hidden_size === b.hidden_size && a.vocab_size === b.vocab_size,
  );
  const pair = twins ?? pairs.find(({ a, b }) => a.vocab_size === b.vocab_size) ?? pairs[0];
  if (pair) return { modelA: pair.a.name, modelB: pair.b.name };
  return { modelA: usable[0]?.name ?? '', modelB: usable[1]?.name ?? '' };
}

const isFor = ({ models }: Example, { modelA, modelB }: Pick<Selection, 'modelA' | 'modelB'>): boolean =>
  !models || [modelA, modelB].every((name) => name === '' || models.includes(name));

/** The example that a link names, else the first that is made for the models that it names. */
export const startingExample = (
  examples: readonly Example[],
  said: Pick<Selection, 'exampleId' | 'modelA' | 'modelB'>,
): Example | undefined =>
  examples.find(({ id }) => id === said.exampleId) ?? examples.find((example) => isFor(example, said)) ?? examples[0];

/**
 * Fills in what neither the link nor the researcher has said: the first example's prompt, and the models that it is made for or
 * else a pair. A link that names a run and says nothing else shows what that run was asked.
 */
export function useBootstrap(): void {
  const { data: models } = useModels();
  const { data: examples, isError: withoutExamples } = useExamples();
  const run = useRun((s) => s.run);
  const failure = useRun((s) => s.failure);
  useEffect(() => {
    // An example may choose the models, so they wait for it.
    if (!models || !(examples || withoutExamples)) return;
    const said = useSelection.getState();
    const { prompt, exampleId, position, target, needle, competing, question, lock, layer, runId } = said;
    const chooses = !said.modelA && (!runId || failure !== null);
    const asks = prompt === '' && (!runId || exampleId !== '' || failure !== null);
    const example = asks && examples ? startingExample(examples.examples, said) : undefined;
    if (example && examples) loadExample(example, chooses ? { ...examples, ...models } : undefined);
    if (chooses && !useSelection.getState().modelA) select(defaultModels(models.models));
    if (layer !== INITIAL_SELECTION.layer) select({ layer });
    // A link may name an example and still read it elsewhere.
    if (example && exampleId === example.id)
      select({
        position,
        lock,
        ...(target && { target }),
        ...(needle && { needle }),
        // Classes that no link has said are the very lists that a new page has.
        ...(competing !== INITIAL_SELECTION.competing && { competing }),
        ...(question !== INITIAL_SELECTION.question && { question }),
      });
  }, [models, examples, withoutExamples, failure]);
  useEffect(() => {
    const { prompt, modelA, position } = useSelection.getState();
    if (!run) return;
    const { request } = run;
    const [first, second = ''] = request.models;
    if (!modelA) select({ modelA: first, modelB: second });
    if (prompt !== '') return;
    select({
      position: position === INITIAL_SELECTION.position ? request.position : position,
      prompt: request.prompt,
      continuation: request.continuation ?? null,
      target: request.target,
      targetId: request.target_id ?? null,
      needle: request.needle ?? null,
      candidates: request.candidates ?? [],
    });
  }, [run]);
}
