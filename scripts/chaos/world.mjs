import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from './random.mjs';

export { sleep };

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** What no refusal and no line of a log may show: statements, stacks, prompts. */
const LEAKS =
  /Failed query|\b(select|insert into|update|delete from|create schema|create table)\b[^.]*["(]|\n\s+at .+:\d+:\d+|node_modules/i;

/** A word that prompts hold and nothing else does. */
export const SECRET = 'Ptarmigan';

/**
 * One scenario while it happens: its chance, its folder, what it found. Everything that it makes is undone by `end`,
 * also when it breaks off.
 */
export class World {
  checks = [];
  counts = {};
  figures = [];
  /** What the server that was started last has written. */
  lastLog = () => '';
  #undo = [];
  #over = false;
  #leaks = new Set();

  /** @param quick the short form, which `npm test` runs */
  constructor(name, seed, quick = false) {
    this.name = name;
    this.quick = quick;
    this.random = new Random(seed);
    this.folder = mkdtempSync(join(tmpdir(), `chaos-${name}-`));
    this.defer(() => rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 }));
  }

  /**
   * Registers what takes back a change; the last one registered is the first one done.
   * @throws Error once the scenario is over, after `undo`: one that was broken off may still be under way.
   */
  defer(undo) {
    if (this.#over) {
      undo();
      throw new Error('the scenario is over');
    }
    this.#undo.push(undo);
  }

  async end() {
    this.#over = true;
    for (const undo of this.#undo.reverse()) {
      try {
        await undo();
      } catch (error) {
        this.check('everything that the scenario made is taken back', false, error.message);
      }
    }
    this.check('every refusal is a sentence without SQL, stack or prompt', this.#leaks.size === 0, [...this.#leaks][0]);
  }

  /** A new folder inside the scenario's own. */
  make(name) {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Records what must hold. Goes on where it does not, so that one failure does not hide the next. */
  check(sentence, holds, detail) {
    const known = this.checks.find((check) => check.sentence === sentence);
    const failure = holds ? undefined : text(detail);
    if (known) {
      known.times += 1;
      if (!holds) Object.assign(known, { holds: false, detail: failure });
    } else this.checks.push({ sentence, holds: Boolean(holds), times: 1, ...(holds ? {} : { detail: failure }) });
    return holds;
  }

  count(what, n = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + n;
  }

  /** A measured number; of several of one name the report shows the largest. */
  figure(what, value, unit) {
    this.figures.push({ what, value, unit });
  }

  /** Looks at a refusal that a user or a program would read; the page's own "not found" is one of another kind. */
  refusal(where, { status, headers, json: body, bytes }) {
    if (status === 404 && headers['content-type']?.startsWith('text/html')) return;
    const message = body?.error?.message;
    const said = `${message ?? ''} ${body?.error?.hint ?? ''}`;
    const sentence = typeof message === 'string' && /[.!?]$/.test(message.trim());
    if (!sentence || LEAKS.test(said) || said.includes(SECRET))
      this.#leaks.add(`${where} → ${status}: ${bytes.subarray(0, 300)}`);
  }

  /** Looks at lines that a log or a list shows. */
  noLeak(where, said) {
    const line = said.split('\n').find((one) => LEAKS.test(one) || one.includes(SECRET));
    if (line) this.#leaks.add(`${where}: ${line.slice(0, 300)}`);
  }

  /** Waits until `probe` gives something; a slow machine only makes it take longer. @throws Error after `seconds`. */
  async until(what, probe, seconds = 120) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await probe();
      if (found) return found;
      if (Date.now() > end) throw new Error(`waited ${seconds} s in vain until ${what}`);
      await sleep(100);
    }
  }
}

const text = (value) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
