import { createSerializer, parseAsString, type SingleParser } from 'nuqs';
import type { StoreApi } from 'zustand';

/**
 * What a link carries. The section that owns a setting defines it once: its name, how its value is written, where its
 * store has it, and what a link changes there. Nothing here knows a section.
 */

/** Parameters of an address by name; null takes one out. */
export type Query = Readonly<Record<string, string | null | undefined>>;

export interface LinkedSetting<S> {
  /** Null where it need not be said. */
  say(state: S): string | null;
  /** What a link changes; nothing for a text that cannot be. */
  take(text: string, state: S): Partial<S>;
}

export type LinkedSettings<S> = Readonly<Record<string, LinkedSetting<S>>>;

type Written<V> = Required<Pick<SingleParser<V>, 'parse' | 'serialize'>>;

/** @param take what a value changes; nothing for one that cannot be */
export const setting = <S, V>(
  parser: Written<V>,
  say: (state: S) => NoInfer<V> | null,
  take: (value: NoInfer<V>, state: S) => Partial<S> | undefined,
): LinkedSetting<S> => ({
  say(state) {
    const value = say(state);
    return value === null ? null : parser.serialize(value);
  },
  take(text, state) {
    const value = parser.parse(text);
    return (value === null ? undefined : take(value, state)) ?? {};
  },
});

/** Settings that are fields of a store, said unless they have their first value. */
export const fieldsOf =
  <S>(first: S) =>
  <K extends keyof S>(key: K, parser: Written<S[K] & {}>): LinkedSetting<S> =>
    setting<S, S[K] & {}>(
      parser,
      (state) => (state[key] === first[key] ? null : ((state[key] ?? null) as (S[K] & {}) | null)),
      (value) => ({ [key]: value }) as unknown as Partial<S>,
    );

export const sayAll = <S>(settings: LinkedSettings<S>, state: S): Record<string, string | null> =>
  Object.fromEntries(Object.entries(settings).map(([name, one]) => [name, one.say(state)]));

/** What a link changes in a state; parameters that are absent say nothing. */
export function takeAll<S>(settings: LinkedSettings<S>, query: Query, state: S): Partial<S> {
  let changed: Partial<S> = {};
  for (const [name, one] of Object.entries(settings)) {
    const text = query[name];
    if (typeof text === 'string') changed = { ...changed, ...one.take(text, { ...state, ...changed }) };
  }
  return changed;
}

interface LinkedStore {
  say(): Record<string, string | null>;
  take(query: Query): void;
}

const stores = new Map<string, LinkedStore>();
/** The link that the page was opened by, for sections that load later; null before it was read. */
let opened: Query | null = null;
let onChange: () => void = () => undefined;

/**
 * Lets links carry the settings of a store. One that comes after the link was read takes its part at once.
 * @param set how the store takes what a link says
 */
export function linkStore<S>(
  name: string,
  store: Pick<StoreApi<S>, 'getState' | 'setState' | 'subscribe'>,
  settings: LinkedSettings<S>,
  set: (patch: Partial<S>) => void = (patch) => store.setState(patch),
): void {
  const linked: LinkedStore = {
    say: () => sayAll(settings, store.getState()),
    take: (query) => set(takeAll(settings, query, store.getState())),
  };
  stores.set(name, linked);
  store.subscribe(() => onChange());
  if (opened) linked.take(opened);
}

/** Hands a link to every store. */
export function openLink(search: string): void {
  const query = Object.fromEntries(new URLSearchParams(search));
  opened = query;
  for (const store of stores.values()) store.take(query);
}

/** Calls a listener with every change of a linked store. @returns a function that stops */
export function onLinkedChange(listener: () => void): () => void {
  onChange = listener;
  return () => {
    onChange = () => undefined;
  };
}

/** An address that says what all linked stores say, some of it anew; whatever else it says stays. */
export function writtenTo(address: string, anew: Record<string, string | null> = {}): string {
  const query = { ...Object.assign({}, ...[...stores.values()].map((store) => store.say())), ...anew };
  const write = createSerializer(Object.fromEntries(Object.keys(query).map((name) => [name, parseAsString])));
  return write(address, query);
}
