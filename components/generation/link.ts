import { parseAsBoolean, parseAsFloat, parseAsInteger, parseAsString } from 'nuqs';
import { fieldsOf, type LinkedSetting, type LinkedSettings, linkStore, setting } from '../state/linked';
import { parseAsContinuation } from '../state/parsers';
import { type Choice, type GenerationStore, INITIAL_CHOICE, useGeneration } from './state';

/** A number of the choice that the page's field would take; the others say nothing. */
const number = (
  name: keyof Choice,
  parser: typeof parseAsInteger,
  low: number,
  high: number,
  allowed: (choice: Choice) => boolean = () => true,
): LinkedSetting<GenerationStore> =>
  setting(
    parser,
    ({ choice }) => (choice[name] === INITIAL_CHOICE[name] ? null : choice[name]),
    (value, { choice }) =>
      value >= low && value <= high && allowed(choice) ? { choice: { ...choice, [name]: value } } : undefined,
  );

const drawn = ({ temperature }: Choice) => temperature !== null;
const field = fieldsOf(useGeneration.getInitialState());

/** What a link says of the generation: of what, how, and whether it was. */
export const GENERATION: LinkedSettings<GenerationStore> = {
  tokens: number('maxNewTokens', parseAsInteger, 1, 1024),
  temperature: number('temperature', parseAsFloat, 0.01, 100),
  topk: number('topK', parseAsInteger, 1, 1_000_000, drawn),
  topp: number('topP', parseAsFloat, 0.001, 1, drawn),
  seed: number('seed', parseAsInteger, 0, 2 ** 31),
  text: field('text', parseAsString),
  'text-end': setting(
    parseAsContinuation,
    ({ textEnd }) => textEnd,
    (textEnd, { text }) => (text === null ? undefined : { textEnd }),
  ),
  generated: setting(
    parseAsBoolean,
    ({ continuations }) => (continuations.length > 0 ? true : null),
    (wanted) => ({ wanted }),
  ),
};

linkStore('generation', useGeneration, GENERATION);
