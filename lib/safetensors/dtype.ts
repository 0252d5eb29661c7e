/**
 * Number formats of weight files and their conversion to float32. Hosts are little-endian, as are the
 * files: bytes are reinterpreted, never swapped.
 */

import { bfloat16Bits } from '@/kernels/ops/bfloat16-bits';
import { InputError } from '@/lib/input-error';

export type StoredDtype = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** Bytes of one element, keyed by the names of the safetensors format. */
export const ELEMENT_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F32: 4,
  I32: 4,
  U32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type ElementType = keyof typeof ELEMENT_BYTES;

const STORED: Partial<Record<ElementType, StoredDtype>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F64: 'float64',
};

/** Whether values of a type can be weights: floating-point numbers. */
export const canBeWeights = (type: ElementType): boolean => STORED[type] !== undefined;

/**
 * The dtype under which a weight is reported.
 * @throws InputError for integer and boolean tensors, which no supported architecture has.
 */
export function storedDtype(type: ElementType, name: string): StoredDtype {
  const dtype = STORED[type];
  if (!dtype)
    throw new InputError(
      `The tensor ${name} holds ${type} values; weights must be F32, F16, BF16 or F64. Quantised models are not read: save the model with plain weights.`,
    );
  return dtype;
}

/** The float32 value of one IEEE half-precision bit pattern. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The half-precision bit pattern nearest to a number, ties to even. */
export function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // 65520 is halfway between the largest half and the next power of two: from there on, ties to even is infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const units = roundHalfToEven(magnitude / 2 ** (exponent - 10));
  // A mantissa that rounds up to 2048 carries into the exponent by plain addition; subnormals have no hidden bit.
  return sign | (((exponent + 14) << 10) + units);
}

/** float32 values rounded to bfloat16, as its bits. */
export const toBfloat16 = (values: Float32Array): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), bfloat16Bits);

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

let halfTable: Float32Array | undefined;

/** All 65,536 half-precision values, made once: a look-up converts a billion-parameter file fast enough. */
function halves(): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));
  return halfTable;
}

/** The bytes where an array of that type can view them: themselves, or a copy. */
export const aligned = <B extends ArrayBufferLike>(bytes: Uint8Array<B>, type: ElementType) =>
  bytes.byteOffset % ELEMENT_BYTES[type] === 0 ? bytes : bytes.slice();

/**
 * Converts little-endian elements to float32. F32 input that is aligned is returned as a view of the same memory.
 * @param bytes exactly the bytes of the elements
 */
export function toFloat32(bytes: Uint8Array, type: ElementType): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, type);
  const count = byteLength / ELEMENT_BYTES[type];
  switch (type) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, count);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case 'BF16': {
      const source = new Uint16Array(buffer, byteOffset, count);
      const target = new Uint32Array(count);
      for (let i = 0; i < count; i++) target[i] = source[i] << 16;
      return new Float32Array(target.buffer);
    }
    case 'F16': {
      const source = new Uint16Array(buffer, byteOffset, count);
      const target = new Float32Array(count);
      const table = halves();
      for (let i = 0; i < count; i++) target[i] = table[source[i]];
      return target;
    }
    default:
      throw new InputError(`Values of type ${type} cannot be read as weights; F32, F16, BF16 or F64 is needed.`);
  }
}
