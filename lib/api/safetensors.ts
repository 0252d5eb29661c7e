/**
 * The safetensors container as it travels: 8-byte little-endian header length, JSON header, data.
 * Pure typed-array code for browser and server. Big-endian machines are not supported (JavaScript
 * engines that run this project are little-endian).
 */

export type WireArray = Float32Array | Int32Array | Uint8Array;

export interface WireTensor<T extends WireArray = WireArray> {
  readonly shape: readonly number[];
  readonly data: T;
}

export interface WireBody {
  readonly tensors: ReadonlyMap<string, WireTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const WIDTH = { F32: 4, F16: 2, I32: 4, U8: 1 } as const;
type Dtype = keyof typeof WIDTH;

const dtypeOf = (data: WireArray): Dtype =>
  data instanceof Float32Array ? 'F32' : data instanceof Int32Array ? 'I32' : 'U8';

const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/**
 * Packs tensors into one body. Cost: one copy. Data starts at a multiple of 8 bytes and each tensor at
 * a multiple of 4, so that a reader needs no copy.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, WireTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  // Four-byte types first: then no tensor needs padding, which the format does not allow.
  const entries = Object.entries(tensors).sort(([, a], [, b]) => WIDTH[dtypeOf(b.data)] - WIDTH[dtypeOf(a.data)]);
  for (const [name, { shape, data }] of entries) {
    if (size(shape) !== data.length)
      throw new Error(`Tensor ${name} has ${data.length} values; shape [${shape}] asks for ${size(shape)}.`);
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const body = new Uint8Array(8 + headerLength + offset);
  new DataView(body.buffer).setBigUint64(0, BigInt(headerLength), true);
  body.fill(0x20, 8, 8 + headerLength);
  body.set(json, 8);
  let at = 8 + headerLength;
  for (const [, { data }] of entries) {
    body.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return body;
}

/** IEEE half to number. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function view(buffer: ArrayBuffer, start: number, bytes: number, dtype: Dtype): WireArray {
  if (dtype === 'U8') return new Uint8Array(buffer, start, bytes);
  if (dtype === 'F16') {
    const source = new DataView(buffer, start, bytes);
    return Float32Array.from({ length: bytes / 2 }, (_, i) => halfToNumber(source.getUint16(2 * i, true)));
  }
  const aligned = start % 4 === 0 ? { buffer, start } : { buffer: buffer.slice(start, start + bytes), start: 0 };
  return dtype === 'F32'
    ? new Float32Array(aligned.buffer, aligned.start, bytes / 4)
    : new Int32Array(aligned.buffer, aligned.start, bytes / 4);
}

/**
 * Reads a safetensors body. F32, I32 and U8 tensors are views of `buffer` (copied only if misaligned);
 * F16 is widened to Float32Array.
 * @throws when the body is truncated, its header is not valid, or a tensor's offsets do not fit.
 */
export function decodeSafetensors(buffer: ArrayBuffer): WireBody {
  const fail = (what: string): never => {
    throw new Error(`This is not a readable safetensors body: ${what}.`);
  };
  if (buffer.byteLength < 8) fail('it is shorter than its length field');
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const base = 8 + headerLength;
  if (base > buffer.byteLength) fail('its header is cut off');
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
  } catch {
    return fail('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null) fail('its header is not an object');
  const tensors = new Map<string, WireTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    if (typeof dtype !== 'string' || !(dtype in WIDTH)) fail(`tensor ${name} has the unknown type ${String(dtype)}`);
    const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
    if (!Array.isArray(shape) || !shape.every(whole)) fail(`tensor ${name} has no valid shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
      fail(`tensor ${name} has no valid offsets`);
    const [start, end] = offsets as [number, number];
    const bytes = size(shape as number[]) * WIDTH[dtype as Dtype];
    if (end - start !== bytes || base + end > buffer.byteLength) fail(`the data of tensor ${name} does not fit`);
    tensors.set(name, { shape: shape as number[], data: view(buffer, base + start, bytes, dtype as Dtype) });
  }
  return { tensors, metadata: (header.__metadata__ ?? {}) as Record<string, string> };
}
