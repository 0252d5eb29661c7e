import type { Example, ModelSummary } from '@/lib/api/schemas';
import { competingSentences } from '@/lib/vocabulary';
import { INITIAL_SELECTION, type Selection, type Spans, select, useSelection } from './selection';

/**
 * Where a span of characters is after its text was edited: the same words at the nearest place, or null when
 * they are gone.
 */
export function moveSpan(
  before: string,
  after: string,
  span: readonly [number, number] | null,
): [number, number] | null {
  if (!span) return null;
  const words = before.slice(span[0], span[1]);
  if (words === '') return null;
  let best = -1;
  for (let at = after.indexOf(words); at >= 0; at = after.indexOf(words, at + 1))
    if (best < 0 || Math.abs(at - span[0]) < Math.abs(best - span[0])) best = at;
  return best < 0 ? null : [best, best + words.length];
}

type Asked = Pick<Selection, 'prompt' | 'target' | 'candidates' | 'needle' | 'question'>;

/** What competes where nobody has painted it: sentences that name another candidate. */
export const foundCompeting = (asked: Asked): Spans => competingSentences(asked.prompt, asked);

const same = (a: Spans, b: Spans) => a.map(String).join(';') === b.map(String).join(';');

/** Whether what competes was found, not painted. */
export const isFound = (asked: Asked & Pick<Selection, 'competing'>): boolean =>
  asked.competing.length > 0 && same(asked.competing, foundCompeting(asked));

const mayFind = (asked: Asked & Pick<Selection, 'competing'>) => asked.competing.length === 0 || isFound(asked);

/** Other candidates: what competes is found anew unless it was painted. */
export const editCandidates = (selection: Asked & Pick<Selection, 'competing'>, candidates: string[]): void =>
  select({
    candidates,
    ...(mayFind(selection) && { competing: foundCompeting({ ...selection, candidates }) }),
  });

/** Whether a text has nothing to do with the answers of the one before: neither the target nor a candidate stands in it. */
const isOther = (text: string, { target, candidates }: Pick<Selection, 'target' | 'candidates'>): boolean => {
  const words = [target, ...candidates].map((word) => word.trim().toLowerCase()).filter(Boolean);
  return !words.some((word) => text.toLowerCase().includes(word));
};

/** Another text keeps its classes where their words still stand; target and candidates of another story are gone. */
export const editPrompt = (selection: Asked & Pick<Selection, 'competing'>, text: string): void => {
  const { prompt, competing } = selection;
  const moved = (spans: Spans) => spans.flatMap((span) => [moveSpan(prompt, text, span)].filter((one) => one !== null));
  if (text === prompt) return;
  const [needle, question] = [moveSpan(prompt, text, selection.needle), moved(selection.question)];
  select({
    prompt: text,
    exampleId: '',
    position: -1,
    lock: null,
    needle,
    question,
    ...(isOther(text, selection) && { target: '', candidates: [] }),
    competing: mayFind(selection) ? foundCompeting({ ...selection, prompt: text, needle, question }) : moved(competing),
  });
};

/** Examples and models that there are. */
interface Choices {
  readonly examples: readonly Example[];
  readonly models: readonly Pick<ModelSummary, 'name'>[];
}

/**
 * The pair that an example is made for, where one may change to it: not away from models of one's own, on which texts are tried.
 */
function pairFor({ models: pair }: Example, { examples, models }: Choices): readonly [string, string] | undefined {
  const { modelA, modelB } = useSelection.getState();
  const isThere = (wanted: string) => models.some(({ name }) => name === wanted);
  const ofExamples = (name: string) => name === '' || examples.some((one) => one.models?.includes(name));
  return pair?.every(isThere) && [modelA, modelB].every(ofExamples) ? pair : undefined;
}

/** @param among an example that is made for two models of these is shown with them */
export const loadExample = (example: Example, among: Choices = { examples: [], models: [] }): void => {
  const pair = pairFor(example, among);
  select({
    ...(pair && { modelA: pair[0], modelB: pair[1], layer: example.layer ?? INITIAL_SELECTION.layer }),
    exampleId: example.id,
    prompt: example.prompt,
    needle: example.needle,
    competing: example.classes?.competing ?? [],
    question: example.classes?.question ?? [],
    target: example.target,
    candidates: example.candidates,
    position: -1,
    lock: null,
  });
};

/** Words in one line, between commas; doubled and empty ones fall away. */
export const parseCandidates = (text: string): string[] => [
  ...new Set(
    text
      .split(/[,\n]/)
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  ),
];
