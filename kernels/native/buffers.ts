import { newFloats } from './addon';

/** Smaller buffers cost less to allocate than to keep. */
const SMALLEST = 4096;
const CAPACITY_BYTES = 1 << 30;

/**
 * Float32 buffers kept for reuse by exact length: memory that was touched before costs no page faults, which would
 * otherwise be most of the time of an elementwise operation. Contents of a reused buffer are whatever they were.
 */
export class BufferPool {
  private readonly free = new Map<number, Float32Array[]>();
  private bytes = 0;

  /** Whether buffers of this length are worth keeping. */
  static keeps(length: number): boolean {
    return length >= SMALLEST;
  }

  /** A buffer of `length` floats with undefined contents. */
  take(length: number): Float32Array {
    const found = BufferPool.keeps(length) ? this.free.get(length)?.pop() : undefined;
    if (!found) return newFloats(length);
    this.bytes -= found.byteLength;
    return found;
  }

  /** Keeps a buffer that nobody else can see any more. */
  give(buffer: Float32Array): void {
    if (this.bytes + buffer.byteLength > CAPACITY_BYTES) this.clear();
    const list = this.free.get(buffer.length);
    if (list) list.push(buffer);
    else this.free.set(buffer.length, [buffer]);
    this.bytes += buffer.byteLength;
  }

  clear(): void {
    this.free.clear();
    this.bytes = 0;
  }

  /** Bytes held for reuse. */
  get heldBytes(): number {
    return this.bytes;
  }
}
