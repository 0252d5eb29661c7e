/**
 * A reader for the pickle inside a torch file that executes nothing. Python's own reader lets the file call any function;
 * this one knows the opcodes that plain data needs and a caller's list of names, and refuses everything else.
 */

import { InputError } from './types';

/** A Python name that the pickle mentions, `module` and `name` joined by a dot. */
export class PickleGlobal {
  constructor(readonly path: string) {}
}

/** What `REDUCE` and persistent ids mean; anything that is not expected must throw an InputError. */
export interface PickleWorld {
  /** Called for every name before it is used. */
  allows(path: string): boolean;
  call(callee: PickleGlobal, args: readonly unknown[]): unknown;
  persistent(id: unknown): unknown;
}

const MARK = Symbol('mark');

class Reader {
  private readonly view: DataView;
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly label: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(what: string): InputError {
    return new InputError(`${this.label} cannot be read: ${what} at byte ${this.position} of its pickle.`);
  }

  private take(length: number): number {
    const start = this.position;
    if (!(length >= 0) || start + length > this.bytes.byteLength) throw this.fail('it ends too early');
    this.position = start + length;
    return start;
  }

  u8 = () => this.view.getUint8(this.take(1));
  u16 = () => this.view.getUint16(this.take(2), true);
  u32 = () => this.view.getUint32(this.take(4), true);
  i32 = () => this.view.getInt32(this.take(4), true);
  f64 = () => this.view.getFloat64(this.take(8), false);
  u64 = () => Number(this.view.getBigUint64(this.take(8), true));

  raw(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.raw(length));
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.fail('it ends too early');
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  /** A little-endian two's-complement integer of any length. */
  long(length: number): number {
    const bytes = this.raw(length);
    if (length > 8) throw this.fail('an integer is too large');
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return Number(BigInt.asIntN(length * 8, value));
  }
}

class Machine {
  private readonly stack: unknown[] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(
    private readonly reader: Reader,
    private readonly world: PickleWorld,
  ) {}

  private push(value: unknown): void {
    this.stack.push(value);
  }

  private pop(): unknown {
    if (this.stack.length === 0) throw this.reader.fail('the stack is empty');
    const value = this.stack.pop();
    if (value === MARK) throw this.reader.fail('a value is missing');
    return value;
  }

  private top(): unknown {
    const value = this.pop();
    this.push(value);
    return value;
  }

  private popToMark(): unknown[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.reader.fail('a mark is missing');
    const values = this.stack.splice(mark);
    values.shift();
    return values;
  }

  private popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  private remember(index: number): void {
    this.memo.set(index, this.top());
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw this.reader.fail('it refers to a value that it never stored');
    this.push(this.memo.get(index));
  }

  private global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.reader.fail('a name is not a text');
    const path = `${module}.${name}`;
    if (!this.world.allows(path)) {
      throw this.reader.fail(`it asks for the Python object ${path}, and only plain tensors are read`);
    }
    this.push(new PickleGlobal(path));
  }

  private appendAll(values: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.reader.fail('it appends to something that is not a list');
    for (const value of values) list.push(value);
  }

  private setAll(values: readonly unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map) || values.length % 2)
      throw this.reader.fail('it sets items of something that is not a dict');
    for (let i = 0; i < values.length; i += 2) map.set(values[i], values[i + 1]);
  }

  private dict(values: readonly unknown[]): void {
    this.push(new Map());
    this.setAll(values);
  }

  private reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args))
      throw this.reader.fail('it calls something that is not a function');
    this.push(this.world.call(callee, args));
  }

  /** Runs up to the STOP opcode and returns the value that is left. */
  run(): unknown {
    for (;;) {
      const opcode = this.reader.u8();
      if (opcode === 0x2e) return this.pop();
      const step = OPCODES.get(opcode);
      if (!step) throw this.reader.fail(`the opcode 0x${opcode.toString(16)} is not supported`);
      step.call(this, this.reader);
    }
  }

  static readonly steps: readonly [opcode: string, step: (this: Machine, reader: Reader) => void][] = [
    ['\x80', (r) => void r.u8()],
    ['\x95', (r) => void r.u64()],
    [
      '(',
      function () {
        this.push(MARK);
      },
    ],
    [
      '0',
      function () {
        this.stack.pop();
      },
    ],
    [
      '1',
      function () {
        this.popToMark();
      },
    ],
    [
      '2',
      function () {
        this.push(this.top());
      },
    ],
    [
      'N',
      function () {
        this.push(null);
      },
    ],
    [
      '\x88',
      function () {
        this.push(true);
      },
    ],
    [
      '\x89',
      function () {
        this.push(false);
      },
    ],
    [
      'J',
      function (r) {
        this.push(r.i32());
      },
    ],
    [
      'K',
      function (r) {
        this.push(r.u8());
      },
    ],
    [
      'M',
      function (r) {
        this.push(r.u16());
      },
    ],
    [
      '\x8a',
      function (r) {
        this.push(r.long(r.u8()));
      },
    ],
    [
      '\x8b',
      function (r) {
        this.push(r.long(r.i32()));
      },
    ],
    [
      'G',
      function (r) {
        this.push(r.f64());
      },
    ],
    [
      'X',
      function (r) {
        this.push(r.text(r.u32()));
      },
    ],
    [
      '\x8c',
      function (r) {
        this.push(r.text(r.u8()));
      },
    ],
    [
      '\x8d',
      function (r) {
        this.push(r.text(r.u64()));
      },
    ],
    [
      'T',
      function (r) {
        this.push(r.text(r.u32()));
      },
    ],
    [
      'U',
      function (r) {
        this.push(r.text(r.u8()));
      },
    ],
    [
      'B',
      function (r) {
        this.push(r.raw(r.u32()));
      },
    ],
    [
      'C',
      function (r) {
        this.push(r.raw(r.u8()));
      },
    ],
    [
      ')',
      function () {
        this.push([]);
      },
    ],
    [
      't',
      function () {
        this.push(this.popToMark());
      },
    ],
    [
      '\x85',
      function () {
        this.push(this.popMany(1));
      },
    ],
    [
      '\x86',
      function () {
        this.push(this.popMany(2));
      },
    ],
    [
      '\x87',
      function () {
        this.push(this.popMany(3));
      },
    ],
    [
      ']',
      function () {
        this.push([]);
      },
    ],
    [
      'l',
      function () {
        this.push(this.popToMark());
      },
    ],
    [
      'a',
      function () {
        this.appendAll(this.popMany(1));
      },
    ],
    [
      'e',
      function () {
        this.appendAll(this.popToMark());
      },
    ],
    [
      '}',
      function () {
        this.push(new Map());
      },
    ],
    [
      'd',
      function () {
        this.dict(this.popToMark());
      },
    ],
    [
      's',
      function () {
        this.setAll(this.popMany(2));
      },
    ],
    [
      'u',
      function () {
        this.setAll(this.popToMark());
      },
    ],
    [
      'q',
      function (r) {
        this.remember(r.u8());
      },
    ],
    [
      'r',
      function (r) {
        this.remember(r.u32());
      },
    ],
    [
      '\x94',
      function () {
        this.remember(this.memo.size);
      },
    ],
    [
      'h',
      function (r) {
        this.recall(r.u8());
      },
    ],
    [
      'j',
      function (r) {
        this.recall(r.u32());
      },
    ],
    [
      'c',
      function (r) {
        this.global(r.line(), r.line());
      },
    ],
    [
      '\x93',
      function () {
        const [module, name] = this.popMany(2);
        this.global(module, name);
      },
    ],
    [
      'R',
      function () {
        this.reduce();
      },
    ],
    // A state dict carries its version table as object state; nothing of it is needed.
    [
      'b',
      function () {
        this.pop();
      },
    ],
    [
      'Q',
      function () {
        this.push(this.world.persistent(this.pop()));
      },
    ],
  ];
}

const OPCODES = new Map(Machine.steps.map(([opcode, step]) => [opcode.charCodeAt(0), step]));

/**
 * Reads one pickle (protocols 2 to 5, the opcodes of plain data). Dicts become Maps, lists and tuples arrays.
 * Cost: one step per opcode; memory is bounded by the pickle's length.
 * @throws InputError for every other opcode, every name that the world does not allow, and damaged input
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld, label: string): unknown {
  return new Machine(new Reader(bytes, label), world).run();
}
