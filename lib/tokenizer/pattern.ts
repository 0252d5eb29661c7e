/**
 * Patterns of a tokenizer.json, which are written for Oniguruma, as regular expressions of JavaScript: the classes that mean
 * more there, `(?i)`, `\R`, possessive quantifiers and atomic groups.
 */

import { InputError } from '@/lib/input-error';
import { WORD } from './definition';

const ESCAPED = /[\\^$.*+?()[\]{}|/\-&!#%,:;<=>@`~]/;

/** A character as itself, inside a class or out of it. */
const literal = (character: string, inClass: boolean): string =>
  (inClass ? ESCAPED : /[\\^$.*+?()[\]{}|/]/).test(character) ? `\\${character}` : character;

/** Classes by their letter, as they stand between brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  w: WORD,
  d: '\\p{Nd}',
  h: '0-9A-Fa-f',
};

const POSIX: Readonly<Record<string, string>> = {
  alpha: '\\p{Alphabetic}',
  digit: '\\p{Nd}',
  alnum: '\\p{Alphabetic}\\p{Nd}',
  upper: '\\p{Uppercase}',
  lower: '\\p{Lowercase}',
  space: '\\p{White_Space}',
  punct: '\\p{P}\\p{S}',
  word: WORD,
  xdigit: '0-9A-Fa-f',
  cntrl: '\\p{Cc}',
};

const CONTROLS: Readonly<Record<string, string>> = {
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
  f: '\\f',
  a: '\\x07',
  e: '\\x1b',
};

const BOUNDARY = `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`;

/** What stands for places and line ends, of which \n alone ends a line. */
const NAMED: Readonly<Record<string, string>> = {
  R: '(?:\\r\\n|[\\n\\v\\f\\r\\x85\\u2028\\u2029])',
  A: '(?<![\\s\\S])',
  z: '(?![\\s\\S])',
  Z: '(?=\\n?(?![\\s\\S]))',
  b: BOUNDARY,
  B: `(?!${BOUNDARY})`,
  '.': '[^\\n]',
  '^': '(?<![^\\n])',
  $: '(?![^\\n])',
  '|': '|',
};

/** A property of Unicode: scripts need their prefix in JavaScript. */
function property(name: string, negative: boolean): string {
  for (const inner of [name, `Script=${name}`, `${name[0]?.toUpperCase()}${name.slice(1)}`]) {
    try {
      new RegExp(`\\p{${inner}}`, 'v');
      return `\\${negative ? 'P' : 'p'}{${inner}}`;
    } catch {}
  }
  throw new InputError(`the property \\p{${name}} is not known`);
}

class Translator {
  #at = 0;
  #out = '';
  #atoms = 0;
  /** Whether case counts, innermost group last. */
  readonly #ignoring: boolean[] = [false];
  readonly #starts: number[] = [];
  /** Where the last atom begins in the output. */
  #atom = 0;

  constructor(private readonly source: string) {}

  translate(): string {
    while (this.#at < this.source.length) {
      const atom = this.#next();
      if (atom !== undefined) this.#emit(atom);
    }
    return this.#out;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const sticky = new RegExp(pattern.source, 'uy');
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.source);
    if (match) this.#at = sticky.lastIndex;
    return match;
  }

  #emit(atom: string): void {
    this.#atom = this.#out.length;
    this.#out += atom;
  }

  #cased(character: string, inClass: boolean): string {
    const plain = literal(character, inClass);
    const ignoring = this.#ignoring.at(-1);
    const others = ignoring
      ? [character.toLowerCase(), character.toUpperCase()].filter((one) => [...one].length === 1)
      : [];
    const all = [...new Set([character, ...others])].map((one) => literal(one, true)).join('');
    return [...all].length > [...plain].length ? (inClass ? all : `[${all}]`) : plain;
  }

  /** The next atom; nothing where the step was none: a comment, a flag, a parenthesis, a quantifier. */
  #next(): string | undefined {
    if (this.#take(/\(\?#[^)]*\)/) || this.#group()) return undefined;
    const quantifier = this.#take(/[*+?]|\{\d+(?:,\d*)?\}/);
    if (quantifier) {
      this.#quantify(quantifier[0]);
      return undefined;
    }
    if (this.#take(/\[/)) return this.#class();
    const named = this.#take(/\\[RAzZbB]/);
    if (named) return NAMED[named[0][1]];
    const upper = this.#take(/\\([SWDH])/);
    if (upper) return `[^${CLASSES[upper[1].toLowerCase()]}]`;
    const lower = this.#take(/\\([swdh])/);
    if (lower) return `[${CLASSES[lower[1]]}]`;
    const bare = this.#take(/[|^$.]/);
    if (bare) return NAMED[bare[0]];
    return this.#escape(false) ?? this.#cased((this.#take(/[\s\S]/) as RegExpExecArray)[0], false);
  }

  /** A flag or a parenthesis. */
  #group(): boolean {
    const flags = this.#take(/\(\?(i?)(?:-(i?))?([):])/);
    if (flags) {
      const [, on, off, end] = flags;
      const ignoring = on ? true : off ? false : (this.#ignoring.at(-1) as boolean);
      if (end === ')') this.#ignoring[this.#ignoring.length - 1] = ignoring;
      else this.#open('(?:', ignoring);
      return true;
    }
    if (this.#take(/\(\?>/)) {
      const name = `a${this.#atoms++}`;
      this.#open(`(?=(?<${name}>`, undefined, `))\\k<${name}>`);
      return true;
    }
    const group = this.#take(/\((?:\?(?:<?[=!]|<\w+>))?/);
    if (group) this.#open(group[0]);
    else if (this.#take(/\)/)) this.#close();
    else return false;
    return true;
  }

  readonly #closing: string[] = [];

  #open(opening: string, ignoring = this.#ignoring.at(-1) as boolean, closing = ')'): void {
    this.#starts.push(this.#out.length);
    this.#closing.push(closing);
    this.#ignoring.push(ignoring);
    this.#out += opening;
  }

  #close(): void {
    const start = this.#starts.pop();
    if (start === undefined) throw new InputError('a parenthesis is closed that was not opened');
    this.#ignoring.pop();
    this.#out += this.#closing.pop();
    this.#atom = start;
  }

  #quantify(quantifier: string): void {
    const atom = this.#out.slice(this.#atom);
    const before = this.#out.slice(0, this.#atom);
    const follows = this.#take(/[?+]/)?.[0] ?? '';
    // Lookarounds cannot be repeated as they are, and after {n,m} a + means once or more often.
    if (follows !== '+') this.#out = `${before}${atom.startsWith('(?') ? `(?:${atom})` : atom}${quantifier}${follows}`;
    else if (quantifier.startsWith('{')) this.#out = `${before}(?:(?:${atom})${quantifier})+`;
    else {
      const name = `a${this.#atoms++}`;
      this.#out = `${before}(?=(?<${name}>(?:${atom})${quantifier}))\\k<${name}>`;
    }
  }

  /** What follows a backslash, the same inside a class and out of it. */
  #escape(inClass: boolean): string | undefined {
    const code = this.#take(/\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))/);
    if (code) return this.#cased(String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3], 16)), inClass);
    const named = this.#take(/\\([pP])\{(\^?)([\w= ]+)\}/);
    if (named) return property(named[3], (named[1] === 'P') !== (named[2] === '^'));
    const control = this.#take(/\\([nrtvfae])/);
    if (control) return CONTROLS[control[1]];
    const character = this.#take(/\\([^\w])/);
    if (character) return this.#cased(character[1], inClass);
    const unknown = this.#take(/\\[\s\S]?/);
    if (unknown) throw new InputError(`its ${unknown[0]} is not known`);
    return undefined;
  }

  /** A class up to its closing bracket, the opening one taken. */
  #class(): string {
    let inner = this.#take(/\^/) ? '^' : '';
    for (let first = true; ; first = false) {
      if (this.#at >= this.source.length) throw new InputError('a [ is not closed');
      if (!first && this.#take(/\]/)) break;
      if (this.#take(/&&/)) {
        // Operands of an intersection are classes of their own in JavaScript.
        const negative = inner.startsWith('^');
        const left = negative ? inner.slice(1) : inner;
        const right = this.#class();
        return `[${negative ? '^' : ''}[${left}]&&${right}]`;
      }
      const posix = this.#take(/\[:(\^?)(\w+):\]/);
      if (posix) {
        const known = POSIX[posix[2]];
        if (!known) throw new InputError(`its class [:${posix[2]}:] is not known`);
        inner += posix[1] ? `[^${known}]` : known;
      } else if (this.#take(/\[/)) inner += this.#class();
      else {
        const lower = this.#take(/\\([swdh])/);
        const upper = lower ? null : this.#take(/\\([SWDH])/);
        if (lower) inner += CLASSES[lower[1]];
        else if (upper) inner += `[^${CLASSES[upper[1].toLowerCase()]}]`;
        else inner += this.#member();
      }
    }
    return `[${inner}]`;
  }

  /** One character of a class, or a range of them. */
  #member(): string {
    const one = () => this.#escape(true) ?? this.#cased((this.#take(/[\s\S]/) as RegExpExecArray)[0], true);
    const start = one();
    if (!this.#take(/-(?=[^\]])/)) return start;
    const low = start.startsWith('\\p') || start.startsWith('\\P') ? undefined : start;
    if (low === undefined) return `${start}\\-`;
    const before = this.#ignoring.at(-1);
    this.#ignoring[this.#ignoring.length - 1] = false;
    const end = one();
    this.#ignoring[this.#ignoring.length - 1] = before as boolean;
    // With case ignored, [a-z] holds both cases; its start has been written in both already.
    const from = before ? (start.startsWith('\\') ? start : [...start][0]) : start;
    const range = `${from}-${end}`;
    const letters = /^([a-zA-Z])-([a-zA-Z])$/.exec(range);
    return before && letters
      ? `${letters[1].toLowerCase()}-${letters[2].toLowerCase()}${letters[1].toUpperCase()}-${letters[2].toUpperCase()}`
      : range;
  }
}

/** A pattern `{String}` or `{Regex}` of a component. @throws InputError for what Oniguruma has and JavaScript has not */
export function patternOf(pattern: unknown): RegExp {
  const { String: text, Regex: source } = (pattern ?? {}) as { String?: unknown; Regex?: unknown };
  if (typeof text === 'string') return new RegExp([...text].map((c) => literal(c, false)).join(''), 'gv');
  if (typeof source !== 'string') throw new InputError('a pattern is neither a String nor a Regex');
  try {
    return new RegExp(new Translator(source).translate(), 'gv');
  } catch (cause) {
    throw new InputError(
      `its pattern ${source} is not understood (${(cause as Error).message}); write it without that, or give the input as token ids`,
    );
  }
}
