/**
 * A reader for the pickle inside a torch file that executes nothing. Python's own reader lets the file call any function;
 * this one knows the opcodes that plain data needs and a caller's list of names, and refuses everything else.
 */

import { Reader } from './pickle-reader';

/** A Python name that the pickle mentions, `module` and `name` joined by a dot. */
export class PickleGlobal {
  constructor(readonly path: string) {}
}

/** An object of Python of which nothing is needed: it is neither made nor looked into. */
export class Inert {}

/** What `REDUCE` and persistent ids mean; anything that is not expected must throw an InputError. */
export interface PickleWorld {
  /** Called for every name before it is used. */
  allows(path: string): boolean;
  call(callee: PickleGlobal, args: readonly unknown[]): unknown;
  persistent(id: unknown): unknown;
}

const MARK = Symbol('mark');

/** Python writes dicts and lists in batches of 1000 items, so no state dict comes near. */
const DEEPEST_STACK = 100_000;

class Machine {
  private readonly stack: unknown[] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(
    private readonly reader: Reader,
    private readonly world: PickleWorld,
  ) {}

  push(value: unknown): void {
    if (this.stack.length === DEEPEST_STACK) throw this.reader.fail('its values are nested too deeply');
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length === 0) throw this.reader.fail('the stack is empty');
    const value = this.stack.pop();
    if (value === MARK) throw this.reader.fail('a value is missing');
    return value;
  }

  top(): unknown {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** Removes the top, whatever it is. */
  drop(): void {
    this.stack.pop();
  }

  popToMark(): unknown[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.reader.fail('a mark is missing');
    const values = this.stack.splice(mark);
    values.shift();
    return values;
  }

  popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    if (!this.memo.has(index)) throw this.reader.fail('it refers to a value that it never stored');
    this.push(this.memo.get(index));
  }

  global([module, name]: readonly unknown[]): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.reader.fail('a name is not a text');
    const path = `${module}.${name}`;
    if (!this.world.allows(path)) {
      throw this.reader.fail(
        `it asks for the Python object ${path}, and only plain tensors are read`,
        'In Python, torch.save(model.state_dict(), FILE) writes these alone.',
      );
    }
    this.push(new PickleGlobal(path));
  }

  append(values: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Inert) return;
    if (!Array.isArray(list)) throw this.reader.fail('it appends to something that is not a list');
    for (const value of values) list.push(value);
  }

  set(values: readonly unknown[]): void {
    const map = this.top();
    if (map instanceof Inert) return;
    if (!(map instanceof Map) || values.length % 2)
      throw this.reader.fail('it sets items of something that is not a dict');
    for (let i = 0; i < values.length; i += 2) map.set(values[i], values[i + 1]);
  }

  dict(values: readonly unknown[]): void {
    this.push(new Map());
    this.set(values);
  }

  reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args))
      throw this.reader.fail('it calls something that is not a function');
    this.push(this.world.call(callee, args));
  }

  /** A call whose named arguments nobody needs. */
  reduceWithNames(): void {
    this.drop();
    this.reduce();
  }

  frozenSet(): void {
    this.popToMark();
    this.push(new Inert());
  }

  persist(): void {
    this.push(this.world.persistent(this.pop()));
  }

  /** Runs up to the STOP opcode and returns the value that is left. */
  run(): unknown {
    for (;;) {
      const opcode = this.reader.u8();
      if (opcode === STOP) return this.pop();
      const step = OPCODES.get(opcode);
      if (!step) throw this.reader.fail(`the opcode 0x${opcode.toString(16)} is not supported`);
      step(this, this.reader);
    }
  }
}

type Step = (m: Machine, r: Reader) => void;

const STEPS: readonly [opcode: string, step: Step][] = [
  ['\x80', (_m, r) => r.skip(1)],
  ['\x95', (_m, r) => r.skip(8)],
  ['(', (m) => m.push(MARK)],
  ['0', (m) => m.drop()],
  ['1', (m) => m.popToMark()],
  ['2', (m) => m.push(m.top())],
  ['N', (m) => m.push(null)],
  ['\x88', (m) => m.push(true)],
  ['\x89', (m) => m.push(false)],
  ['J', (m, r) => m.push(r.i32())],
  ['K', (m, r) => m.push(r.u8())],
  ['M', (m, r) => m.push(r.u16())],
  ['\x8a', (m, r) => m.push(r.long(r.u8()))],
  ['\x8b', (m, r) => m.push(r.long(r.i32()))],
  ['G', (m, r) => m.push(r.f64())],
  ['X', (m, r) => m.push(r.text(r.u32()))],
  ['\x8c', (m, r) => m.push(r.text(r.u8()))],
  ['\x8d', (m, r) => m.push(r.text(r.u64()))],
  ['T', (m, r) => m.push(r.text(r.u32()))],
  ['U', (m, r) => m.push(r.text(r.u8()))],
  ['B', (m, r) => m.push(r.raw(r.u32()))],
  ['C', (m, r) => m.push(r.raw(r.u8()))],
  [')', (m) => m.push([])],
  ['t', (m) => m.push(m.popToMark())],
  ['\x85', (m) => m.push(m.popMany(1))],
  ['\x86', (m) => m.push(m.popMany(2))],
  ['\x87', (m) => m.push(m.popMany(3))],
  [']', (m) => m.push([])],
  ['l', (m) => m.push(m.popToMark())],
  ['a', (m) => m.append(m.popMany(1))],
  ['e', (m) => m.append(m.popToMark())],
  ['}', (m) => m.push(new Map())],
  ['d', (m) => m.dict(m.popToMark())],
  ['s', (m) => m.set(m.popMany(2))],
  ['u', (m) => m.set(m.popToMark())],
  ['q', (m, r) => m.remember(r.u8())],
  ['r', (m, r) => m.remember(r.u32())],
  ['\x94', (m) => m.memoize()],
  ['h', (m, r) => m.recall(r.u8())],
  ['j', (m, r) => m.recall(r.u32())],
  ['c', (m, r) => m.global([r.line(), r.line()])],
  ['\x93', (m) => m.global(m.popMany(2))],
  ['R', (m) => m.reduce()],
  ['\x81', (m) => m.reduce()],
  ['\x92', (m) => m.reduceWithNames()],
  ['\x8f', (m) => m.push(new Inert())],
  ['\x90', (m) => m.append(m.popToMark())],
  ['\x91', (m) => m.frozenSet()],
  // A state dict carries its version table as object state; nothing of it is needed.
  ['b', (m) => m.drop()],
  ['Q', (m) => m.persist()],
];

const OPCODES = new Map(STEPS.map(([opcode, step]) => [opcode.charCodeAt(0), step]));

const STOP = 0x2e;

/**
 * Reads one pickle (protocols 2 to 5, the opcodes of plain data). Dicts become Maps, lists and tuples arrays.
 * Cost: one step per opcode; memory is bounded by the pickle's length.
 * @throws InputError for every other opcode, every name that the world does not allow, and damaged input
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld, label: string): unknown {
  return new Machine(new Reader(bytes, label), world).run();
}
