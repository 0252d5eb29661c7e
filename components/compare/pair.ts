import type { Run, RunModel } from '@/lib/api/schemas';

/** One model of one run. */
export interface Choice {
  readonly run: string;
  readonly model: number;
}

/** `3f2a91c0.1`: a run and the number of its model. */
export const writeChoice = ({ run, model }: Choice): string => `${run}.${model}`;

export function readChoice(text: string | null): { run: string; model?: number } | undefined {
  const match = /^([\w-]{1,64})(?:\.([01]))?$/.exec(text ?? '');
  return match ? { run: match[1], ...(match[2] && { model: Number(match[2]) }) } : undefined;
}

/**
 * The models that a comparison opens with: the same one where the prompts differ, two different ones where the prompt is
 * the same, so that one thing is changed.
 */
export function tellingModels(first: Run, second: Run): [number, number] {
  const [a] = first.models;
  const samePrompt = first.request.prompt === second.request.prompt;
  const found = second.models.findIndex(({ name }) => (name === a?.name) !== samePrompt);
  return [0, Math.max(0, found)];
}

/** Why the maps of two models of runs cannot stand cell by cell beside each other; undefined where they can. */
export function obstacle(first: Run, a: RunModel, second: Run, b: RunModel): string | undefined {
  if (first.request.prompt === second.request.prompt || a.tokens.length === b.tokens.length) return undefined;
  return `Run ${first.id} reads ${a.tokens.length} tokens and run ${second.id} ${b.tokens.length}: maps and lenses of different prompts are compared token by token, which needs equally many. The signal stands for itself; to compare maps, run a prompt of ${a.tokens.length} tokens.`;
}

/** Why a run has nothing to compare. */
export function missing(run: Run, model: RunModel): string | undefined {
  if (!run.available) return `The arrays of run ${run.id} were removed to make room: run its prompt again.`;
  if (model.mapsReady === 0) return `Run ${run.id} has no finished layer of ${model.name}: open it and resume it.`;
  return undefined;
}
