'use client';
import { createLoader, createSerializer, parseAsBoolean, parseAsFloat, parseAsInteger, parseAsString } from 'nuqs';
import { URL_QUIET_MS } from '../state/shortcuts';
import { parseAsContinuation } from '../state/url';
import { type Choice, INITIAL_CHOICE, useGeneration } from './state';

const PARSERS = {
  tokens: parseAsInteger,
  temperature: parseAsFloat,
  topk: parseAsInteger,
  topp: parseAsFloat,
  seed: parseAsInteger,
  text: parseAsString,
  'text-end': parseAsContinuation,
  generated: parseAsBoolean,
};

type Query = { [K in keyof typeof PARSERS]: ReturnType<(typeof PARSERS)[K]['parse']> };
type Linked = Pick<ReturnType<typeof useGeneration.getState>, 'choice' | 'text' | 'textEnd'> & {
  readonly continuations: readonly unknown[];
};

const read = createLoader(PARSERS);
const write = createSerializer(PARSERS);

/** Numbers that the fields of the page would take; the others say nothing. */
const within = (value: number | null, low: number, high: number): number | undefined =>
  value !== null && value >= low && value <= high ? value : undefined;

/** An address that says what is generated, how, and whether it was; whatever else it says stays. */
export function withGeneration(address: string, { choice, text, textEnd, continuations }: Linked): string {
  const unless = <K extends keyof Choice>(name: K) => (choice[name] === INITIAL_CHOICE[name] ? null : choice[name]);
  const query: Query = {
    tokens: unless('maxNewTokens'),
    temperature: choice.temperature,
    topk: choice.topK,
    topp: choice.topP,
    seed: unless('seed'),
    ...{ text, 'text-end': textEnd },
    generated: continuations.length > 0 ? true : null,
  };
  return write(address, query);
}

/** What a link says about the generation, and whether its text was there. */
export function generationOf(search: string): Pick<Linked, 'choice' | 'text' | 'textEnd'> & { generated: boolean } {
  const { tokens, temperature, topk, topp, seed, text, 'text-end': textEnd, generated } = read(search);
  const drawn = within(temperature, 0.01, 100) ?? null;
  return {
    choice: {
      maxNewTokens: within(tokens, 1, 1024) ?? INITIAL_CHOICE.maxNewTokens,
      temperature: drawn,
      topK: drawn === null ? null : (within(topk, 1, 1_000_000) ?? null),
      topP: drawn === null ? null : (within(topp, 0.001, 1) ?? null),
      seed: within(seed, 0, 2 ** 31) ?? INITIAL_CHOICE.seed,
    },
    ...{ text, textEnd: text === null ? null : textEnd },
    generated: generated === true,
  };
}

/** Writes every change of the generation to the address once it has rested. @returns a function that stops. */
export function followGeneration(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = useGeneration.subscribe((state, before) => {
    if (state.choice === before.choice && state.text === before.text && state.continuations === before.continuations)
      return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const link = withGeneration(location.href, useGeneration.getState());
      if (link !== location.href) history.replaceState(history.state, '', link);
    }, URL_QUIET_MS);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

let opened = false;

/** Takes over what the link says, once; `begin` generates again what it speaks of. */
export function openGeneration(begin: () => void): void {
  if (opened) return;
  opened = true;
  const { generated, ...linked } = generationOf(location.search);
  useGeneration.setState(linked);
  if (generated) begin();
}
