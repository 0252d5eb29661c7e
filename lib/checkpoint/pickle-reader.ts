/** The bytes of a pickle, read in order and never past their end. */

import { InputError } from './types';

export class Reader {
  private readonly view: DataView;
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly label: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @param remedy a sentence, where there is something to do */
  fail(what: string, remedy?: string): InputError {
    const place = `at byte ${this.position} of its pickle`;
    return new InputError(`${this.label} cannot be read: ${what} ${place}.${remedy ? ` ${remedy}` : ''}`);
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

  skip(length: number): void {
    this.take(length);
  }

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
